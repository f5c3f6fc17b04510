/** The keeper, seen from a daemon. Its own process starts at main.ts. */
export { connectKeeper, type ConnectOptions } from './client.ts';
export type { KeptHost } from './kept-host.ts';
export type { RestartCommand } from './frames.ts';
export { sweepSpool } from './spool.ts';
