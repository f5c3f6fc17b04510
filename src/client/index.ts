/** The typed client of a daemon. Loads in a browser too; there a daemon is found by `url`, not by `home`. */
export {
  connect,
  connectHome,
  PilotlightClient,
  type ClientBounds,
  type ClientSessions,
  type ConnectHomeOptions,
  type ConnectOptions,
} from './client.ts';
export { ClientSession } from './session.ts';
export type { ClientTokens } from './tokens.ts';
export type { ClientWorkspaces } from './workspaces.ts';
export type { Health } from './views.ts';
export type { Endpoint, Fetch } from './wire.ts';
export type {
  CommandOptions,
  EventStream,
  Page,
  PageOptions,
  Pilotlight,
  SendOptions,
  Session,
  Sessions,
  StreamGap,
  StreamItem,
  StreamOptions,
  StreamReset,
  Turn,
} from '../protocol/index.ts';
