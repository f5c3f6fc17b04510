/** The typed client of a daemon. Loads in a browser too; there `connect` works and `connectHome` does not. */
export {
  connect,
  PilotlightClient,
  type ClientBounds,
  type ClientSessions,
  type ConnectOptions,
} from './client.ts';
export { connectHome, type ConnectHomeOptions } from './home.ts';
export type { StreamGap, StreamItem, StreamReset } from './items.ts';
export { ClientSession, type CommandOptions, type PageOptions, type SendOptions } from './session.ts';
export { EventStream, type StreamOptions } from './stream.ts';
export type { ClientTokens } from './tokens.ts';
export type { ClientWorkspaces } from './workspaces.ts';
export { ClientTurn } from './turn.ts';
export type { Health, Page } from './views.ts';
export type { Endpoint, Fetch } from './wire.ts';
