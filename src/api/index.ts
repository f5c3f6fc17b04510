/** HTTP and SSE in front of a host. */
export { createApi, type Api, type ApiOptions, type RequestEntry } from './api.ts';
export type { AuditEntry } from './audit.ts';
export type { Arrival, Door } from './door.ts';
export type { ApiLimits } from './limits.ts';
export type { Listening, ListenOptions } from './listen.ts';
export type { Asker, TokenCheck } from './token.ts';
export type { TokenDesk } from './tokens.ts';
export type { WorkspaceDesk } from './workspaces.ts';
