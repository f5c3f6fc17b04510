/**
 * A hook of Codex before each of its commands, whatever the mode and asked about or not: one that names a path that is closed to agents does not run.
 * Owns its words, and the trust that Codex asks of hooks: the hash of what was trusted, told for this thread alone (0.169.0). What a command does not name, it does not see. Pure.
 */
import { createHash } from 'node:crypto';
import { spellingsOf } from '../closed.ts';
import type { AgentSettings, Json } from '../dialect.ts';
import { isRecord, type Envelope } from './messages.ts';
import type { Work } from './state.ts';
import { isTable, type Table } from './table.ts';

/** What Codex calls the configuration that a thread is given, and in it the first hook of the first group of its kind. */
const SOURCE = '/<session-flags>/config.toml';
const KEY = `${SOURCE}:pre_tool_use:0:0`;
const MATCHER = '^Bash$';
const TIMEOUT_S = 5;
const REASON = 'Denied: the home of Pilotlight is closed to agents';

/** In the words of a thread's `config`; `hooks` are those that the session brings. Nothing where nothing is closed. */
export function guard({ closed = [], env }: AgentSettings, hooks: Json | undefined): Table {
  if (closed.length === 0) return {};
  const spellings = closed.flatMap((path) => spellingsOf(path, env['HOME']));
  const command = `sh -c ${quoted(SCRIPT)} sh ${spellings.map((one) => quoted(escaped(one))).join(' ')}`;
  const ours = { matcher: MATCHER, hooks: [{ type: 'command', command, timeout: TIMEOUT_S }] };
  const own = tableOf(hooks);
  const before = own['PreToolUse'];
  return {
    hooks: {
      ...own,
      PreToolUse: [ours, ...(isList(before) ? before : [])],
      state: { ...tableOf(own['state']), [KEY]: { trusted_hash: hashOf(command) } },
    },
  };
}

/** Its input is one line of JSON, in which the call comes behind what else names paths. Exit code 2 denies, with what is on stderr as the reason that the model reads. */
const SCRIPT = `call=$(cat); call=\${call#*'"tool_input":'}; for path; do case $call in *"$path"*) echo ${JSON.stringify(REASON)} >&2; exit 2;; esac; done`;

/** As it stands in JSON. */
function escaped(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Keys in order, without spaces. */
function hashOf(command: string): string {
  const hook = { async: false, command, timeout: TIMEOUT_S, type: 'command' };
  const trusted = JSON.stringify({ event_name: 'pre_tool_use', hooks: [hook], matcher: MATCHER });
  return `sha256:${createHash('sha256').update(trusted).digest('hex')}`;
}

function tableOf(value: Json | undefined): Table {
  return isTable(value) ? value : {};
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** `hook/completed`: Codex shows nothing else of a command that did not run. */
export function hookCompleted(work: Work, params: Envelope['params']): void {
  const run = isRecord(params) && isRecord(params['run']) ? params['run'] : {};
  if (run['sourcePath'] !== SOURCE || run['status'] !== 'blocked') return;
  if (!JSON.stringify(run['entries'] ?? []).includes(REASON)) return;
  work.signals.push({ kind: 'notice', level: 'warning', code: 'home_closed', message: REASON });
}
