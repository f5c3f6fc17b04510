import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SPEC } from '../../test/support/session-spec.ts';
import type { Call } from '../policy/index.ts';
import type { SessionSpec } from '../session/ports.ts';
import { newSessionState } from '../session/state.ts';
import { namesOf } from '../process/index.ts';
import { closedTo } from './closed.ts';
import { judgeOf } from './judge.ts';

let user: string;
let home: string;
let cwd: string;

beforeAll(() => {
  user = realpathSync(mkdtempSync(join(tmpdir(), 'pl-closed-')));
  // A name with letters of a wildcard.
  home = join(user, '.pilot[1]');
  cwd = join(user, 'work');
  mkdirSync(home);
  mkdirSync(cwd);
  writeFileSync(join(home, 'token'), 'made up');
  symlinkSync(home, join(cwd, 'elsewhere'));
});

afterAll(() => {
  rmSync(user, { recursive: true });
});

function verdict(tool: Call, more: Partial<SessionSpec> = {}): unknown {
  const judge = judgeOf([], closedTo(namesOf(home), user));
  const state = newSessionState({ ...SPEC, cwd, ...more });
  const said = judge(state, { request: 'r', kind: 'tool', check: true, tool: { id: 't', ...tool } });
  return said === undefined ? undefined : [said.decision, said.rule];
}

const CLOSED = ['deny', 'home of Pilotlight'];
const run = (command: string): Call => ({ name: 'Bash', kind: 'execute', input: { command } });

test.each<[string, () => Call]>([
  ['reading the token', () => ({ name: 'Read', kind: 'read', input: { file_path: join(home, 'token') } })],
  ['reading it by a link', () => ({ name: 'Read', kind: 'read', input: { file_path: 'elsewhere/token' } })],
  ['reading it by dots', () => ({ name: 'Read', kind: 'read', input: { path: '../.pilot[1]/token' } })],
  ['searching it', () => ({ name: 'Grep', kind: 'search', input: { pattern: 'x', path: home } })],
  [
    'writing a file that is not there',
    () => ({ name: 'Write', kind: 'edit', input: { file_path: join(home, 'config.toml') } }),
  ],
  ['a command by the whole path', () => run(`cat ${home}/token`)],
  ['a command by ~', () => run("sh -c 'cat ~/.pilot[1]/token'")],
  ['a command by $HOME', () => run('cat "$HOME/.pilot[1]/token" | base64')],
])('%s is denied, whatever the rules and the mode allow', (_name, call) => {
  const all = { mode: 'bypass', permissionPolicy: [{ tool: '*', decision: 'allow' }] } as const;
  expect([verdict(call()), verdict(call(), all)]).toEqual([CLOSED, CLOSED]);
});

test('what is beside the home and what is no file is judged as before', () => {
  const beside: Call = { name: 'Read', kind: 'read', input: { file_path: join(user, '.pilot1', 'token') } };
  expect([
    verdict(beside),
    verdict(run('ls')),
    verdict({ name: 'WebSearch', kind: 'other', input: {} }),
  ]).toEqual([undefined, undefined, undefined]);
});

test('without a home there is nothing to close', () => {
  expect(
    closedTo([], user)(run('cat ~/.pilotlight/token'), { cwd, files: { realpath: String, lstat: String } }),
  ).toBe(undefined);
});
