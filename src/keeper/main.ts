/**
 * The keeper's entry. Everything is imported at the start, so that an upgrade under its feet does not matter.
 * argv: the home, and options as JSON. Started only by the holder of the journal's lock, which has removed a stale socket.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { processIdentity } from '../process/identity.ts';
import { socketPath } from '../process/socket-path.ts';
import { VERSION } from '../protocol/version.ts';
import { findKeeper } from './find.ts';
import { PROTOCOL } from './frames.ts';
import { Keeper } from './keeper.ts';
import { readSettings } from './settings.ts';

// What the pipes were read into is freed after some megabytes, not some dozen.
setFlagsFromString('--scavenger-max-new-space-capacity-mb=4');

const home = process.argv[2] ?? '';
const settings = readSettings(process.argv[3] ?? '{}');
const file = join(home, 'keeper.json');
const socket = socketPath(join(home, 'keeper.sock'), settings.runtimeDir);
const secret = randomBytes(32).toString('hex');
const logFile = join(home, 'logs', 'keeper.log');

function log(message: string): void {
  try {
    if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > 1024 * 1024)
      renameSync(logFile, `${logFile}.1`);
    appendFileSync(logFile, `${new Date().toISOString()} ${message}\n`, { mode: 0o600 });
  } catch {
    // A log that cannot be written costs nobody an agent.
  }
}

function leave(): void {
  // Only what is still ours: a keeper that was given up for lost may have a successor by now.
  if (findKeeper(home)?.secret === secret) {
    rmSync(socket, { force: true });
    rmSync(file, { force: true });
  }
  // What is written to the socket goes out first.
  setImmediate(() => process.exit(0));
}

const keeper = new Keeper({ home, secret, version: VERSION, ...settings, log, onDone: leave });
const server = createServer((connection) => {
  keeper.accept(connection);
});
for (const signal of ['SIGHUP', 'SIGPIPE', 'SIGINT'] as const) process.on(signal, () => undefined);
process.on('SIGTERM', () => void keeper.terminate());
process.on('uncaughtException', (error) => {
  log(`unexpected: ${error.stack ?? error.message}`);
});
process.on('unhandledRejection', (reason) => {
  log(`unexpected: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
});
server.on('error', (error) => {
  log(`the socket ${socket} cannot be had: ${error.message}`);
  process.exit(1);
});
// Only for the socket: the mask is inherited by every agent, whose files are the user's and not ours.
const mask = process.umask(0o077);
server.listen(socket, () => {
  chmodSync(socket, 0o600);
  const about = { ...processIdentity(process.pid), secret, socket, version: VERSION, protocol: PROTOCOL };
  writeFileSync(`${file}.new`, `${JSON.stringify(about)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  log(`started, ${VERSION}`);
  process.send?.('ready');
  process.disconnect?.();
});
process.umask(mask);
