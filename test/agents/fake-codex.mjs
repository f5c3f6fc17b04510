#!/usr/bin/env node
/**
 * A fake Codex: `codex app-server` over stdio, scripted by its prompts.
 * Owns the start. Manual: README.md beside this file.
 */
import path from 'node:path';
import { CodexServer } from './codex-server.mjs';
import { VERSION } from './codex-shapes.mjs';
import { atEnd, faultsOfEnvironment, onSignals, start } from './lifetime.mjs';
import { complain, Out, readLines } from './stdio.mjs';

const args = process.argv.slice(2);
if (args.some((arg) => arg === '--version' || arg === '-V')) {
  process.stdout.write(`codex-cli ${VERSION}\n`);
  process.exit(0);
}
if (args[0] !== 'app-server') {
  complain(`error: the fake codex knows only app-server, not ${args[0] ?? 'nothing'}`);
  process.exit(2);
}

const faults = faultsOfEnvironment();
const out = new Out();
await start(faults, out);
const home = process.env.CODEX_HOME ?? path.join(process.cwd(), '.fake-codex');
const server = new CodexServer({ faults, out, home });
// SIGINT and SIGHUP keep their default: they end the real one by the signal, and orphan its commands.
onSignals(faults, { SIGTERM: () => process.exit(0) });
server.stdin = readLines(
  (line) => server.hear(line),
  () => atEnd(faults, () => void server.leave()),
);
