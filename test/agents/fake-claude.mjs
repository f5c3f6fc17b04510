#!/usr/bin/env node
/**
 * A fake Claude Code: `claude -p --output-format stream-json --input-format stream-json …`, scripted by its prompts.
 * Owns flags and the start. Manual: README.md beside this file.
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { spuriousResult } from './claude-lines.mjs';
import { ClaudeSession } from './claude-session.mjs';
import { atEnd, faultsOfEnvironment, Memory, onSignals, start } from './lifetime.mjs';
import { complain, Out, readLines } from './stdio.mjs';

const args = process.argv.slice(2);
const faults = faultsOfEnvironment();
const version = faults.has('old') ? '2.1.197' : '2.1.330';
if (args.some((arg) => arg === '--version' || arg === '-v')) {
  process.stdout.write(`${version} (Claude Code)\n`);
  process.exit(0);
}

const out = new Out();
await start(faults, out);
const session = await open(optionsOf(args));
onSignals(faults, { SIGINT: () => session.stopNow(), SIGHUP: () => process.exit(129) });
session.stdin = readLines(
  (line) => session.hear(line),
  () => atEnd(faults, () => session.end()),
);

/** `--name value`, `--name=value` or `--name`; what is not known is passed over, as the real flags are many. */
function optionsOf(list) {
  const options = new Map();
  for (const [index, arg] of list.entries()) {
    const match = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg === '-r' ? '--resume' : arg);
    if (match === null) continue;
    const next = list[index + 1];
    options.set(match[1], match[2] ?? (next === undefined || next.startsWith('--') ? '' : next));
  }
  return options;
}

async function open(options) {
  if (options.has('await-claim')) refuse("error: unknown option '--await-claim'");
  const resumed = options.get('resume');
  const wanted = options.get('session-id');
  if (wanted !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(wanted))
    refuse('Error: Invalid session ID. Must be a valid UUID.');
  const remembered = resumed === undefined ? [] : await resume(resumed);
  const forks = options.has('fork-session');
  const id = resumed === undefined || forks ? (wanted ?? randomUUID()) : resumed;
  const memory = memoryOf(id);
  if (id === wanted && memory.read() !== undefined) refuse(`Error: Session ID ${id} is already in use.`);
  if (forks) for (const text of remembered) memory.append({ uuid: null, text });
  const mayBypass =
    options.has('dangerously-skip-permissions') || options.has('allow-dangerously-skip-permissions');
  const mode = options.get('permission-mode') ?? 'default';
  return new ClaudeSession({
    id,
    cwd: process.cwd(),
    model: options.get('model') ?? 'fake-model',
    mode: options.has('dangerously-skip-permissions') ? 'bypassPermissions' : mode,
    version,
    old: faults.has('old'),
    asksHost: options.get('permission-prompt-tool') === 'stdio',
    mayBypass: mayBypass || mode === 'bypassPermissions',
    statesWanted: process.env.CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS === '1',
    faults,
    out,
    memory,
    memoryOf,
    remembered,
  });
}

/** The earlier prompts of a conversation. Without them the process ends, with a result where the real one gives one. */
async function resume(id) {
  if (faults.has('resume-fails'))
    refuse('Error: the conversation cannot be read (the fake agent was told so)');
  const entries = faults.has('resume-unknown') ? undefined : memoryOf(id).read();
  if (entries !== undefined) return entries.map(({ text }) => text);
  const message = `No conversation found with session ID: ${id}`;
  await out.json(spuriousResult({ id: randomUUID() }, message));
  await out.flush();
  refuse(message);
}

function memoryOf(id) {
  const home = process.env.CLAUDE_CONFIG_DIR ?? path.join(process.cwd(), '.fake-claude');
  return new Memory(path.join(home, 'fake-sessions'), id);
}

function refuse(message) {
  complain(message);
  process.exit(1);
}
