/** The host's public face: what ways in may import. */
export type { Answered, Caller, Host, Idempotency, Page } from './face.ts';
