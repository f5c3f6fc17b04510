import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { processIdentity } from '../process/identity.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { Owners, type Conversation, type Holder } from './owners.ts';

const CONVERSATION: Conversation = { agent: 'claude', at: '/home/a/.claude', id: 'c-1' };
const SELF = processIdentity(process.pid)!;
const DEAD: ProcessIdentity = { pid: SELF.pid, startTime: '1' };

class Folder implements Disposable {
  readonly path = join(mkdtempSync(join(tmpdir(), 'pl-owners-')), 'owners');

  get files(): readonly string[] {
    return readdirSync(this.path);
  }

  /** The one record there is. */
  get file(): string {
    expect(this.files).toHaveLength(1);
    return join(this.path, this.files[0]!);
  }

  [Symbol.dispose](): void {
    rmSync(join(this.path, '..'), { recursive: true, force: true });
  }
}

function holder(more: Partial<Holder> = {}): Holder {
  return { ...SELF, command: 'claude', session: 'ses_a', home: '/home/a/.pilotlight', ...more };
}

test('a conversation that a live process has is refused, naming process, session and home', () => {
  using folder = new Folder();
  new Owners(folder.path).take(CONVERSATION, holder());
  const other = (): unknown =>
    new Owners(folder.path).take(CONVERSATION, holder({ session: 'ses_b', home: '/b' }));
  expect(other).toThrow(
    expect.objectContaining({
      code: 'agent_session_in_use',
      message: `Conversation c-1 of claude is in use by process ${String(SELF.pid)} (claude), for session ses_a of /home/a/.pilotlight`,
      detail: { pid: SELF.pid, command: 'claude', session: 'ses_a', home: '/home/a/.pilotlight' },
    }),
  );
  expect(folder.files).toHaveLength(1);
});

test('conversations of another agent or another directory are others', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder());
  for (const other of [{ agent: 'codex' }, { at: '/elsewhere' }, { id: 'c-2' }])
    expect(() => owners.take({ ...CONVERSATION, ...other }, holder({ session: 'ses_b' }))).not.toThrow();
});

test('what was released, or held by a process that is dead, is free', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder()).release(SELF);
  expect(folder.files).toEqual([]);
  owners.take(CONVERSATION, holder(DEAD));
  expect(owners.holderOf(CONVERSATION)).toBeUndefined();
  owners.take(CONVERSATION, holder({ session: 'ses_b' }));
  expect(owners.holderOf(CONVERSATION)?.session).toBe('ses_b');
  expect(folder.files).toHaveLength(1);
});

test('a reused pid is not the process that had it', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder({ pid: process.ppid, startTime: 'of another one' }));
  expect(() => owners.take(CONVERSATION, holder({ session: 'ses_b' }))).not.toThrow();
});

for (const [what, text] of [
  ['empty', ''],
  ['torn', '{"v":1,"pid":12'],
  ['of an unknown form', '{"v":9,"who":"me"}'],
  ['with a pid that is none', '{"pid":-1,"startTime":"1","command":"x","session":"s","home":"h"}'],
] as const)
  test(`a record that is ${what} keeps nobody out`, () => {
    using folder = new Folder();
    const owners = new Owners(folder.path);
    owners.take(CONVERSATION, holder());
    writeFileSync(folder.file, text);
    expect(owners.holderOf(CONVERSATION)).toBeUndefined();
    owners.take(CONVERSATION, holder({ session: 'ses_b' }));
    expect(JSON.parse(readFileSync(folder.file, 'utf8'))).toMatchObject({ v: 1, session: 'ses_b' });
  });

test.runIf(process.getuid?.() === 0)(
  'a record that another user put there is neither believed nor removed',
  () => {
    using folder = new Folder();
    const owners = new Owners(folder.path);
    owners.take(CONVERSATION, holder());
    const foreign = folder.file;
    chownSync(foreign, 12345, 12345);
    owners.take(CONVERSATION, holder({ session: 'ses_b' }));
    expect(folder.files).toHaveLength(2);
    expect(owners.holderOf(CONVERSATION)?.session).toBe('ses_b');
    expect(readFileSync(foreign, 'utf8')).toContain('ses_a');
  },
);

test('files that are no records are passed over', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder({ session: 'ses_b' })).release(SELF);
  mkdirSync(join(folder.path, 'x.1.json'));
  writeFileSync(join(folder.path, 'notes.txt'), 'mine');
  expect(() => owners.take(CONVERSATION, holder())).not.toThrow();
});

test('the claim of a start goes over to the process that was started, and stays while that lives', async () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  const child = spawn('sleep', ['60']);
  const exited = once(child, 'exit');
  const identity = processIdentity(child.pid!)!;
  const held = owners.take(CONVERSATION, holder({ command: 'pilotlight' }));
  held.by(identity, 'claude');
  expect(owners.holderOf(CONVERSATION)).toMatchObject({ pid: identity.pid, command: 'claude' });
  held.release(SELF);
  expect(owners.holderOf(CONVERSATION)?.pid).toBe(identity.pid);
  expect(() => owners.take(CONVERSATION, holder())).toThrow('is in use by process');
  child.kill();
  await exited;
  held.release(SELF);
  expect(folder.files).toEqual([]);
});

test('of many processes that take a dead one’s conversation at once, one has it', async () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  const module = new URL('./owners.ts', import.meta.url).pathname;
  const identity = new URL('../process/identity.ts', import.meta.url).pathname;
  const program = `
    const { Owners } = await import(${JSON.stringify(module)});
    const { processIdentity } = await import(${JSON.stringify(identity)});
    const self = processIdentity(process.pid);
    process.stdout.write('ready\\n');
    await new Promise((go) => process.stdin.once('data', go));
    try {
      new Owners(${JSON.stringify(folder.path)}).take(${JSON.stringify(CONVERSATION)}, { ...self, command: 'c', session: String(process.pid), home: 'h' });
      process.stdout.write('mine\\n');
    } catch (error) {
      process.stdout.write(error.code + '\\n');
    }
    process.stdin.once('data', () => process.exit(0));
  `;
  owners.take(CONVERSATION, holder(DEAD));
  const racers = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program]),
  );
  const answers = racers.map(({ stdout }) => stdout.setEncoding('utf8')[Symbol.asyncIterator]());
  try {
    for (const answer of answers) expect((await answer.next()).value).toBe('ready\n');
    for (const { stdin } of racers) stdin.write('go\n');
    const said = await Promise.all(answers.map(async (answer) => String((await answer.next()).value).trim()));
    expect(said.toSorted()).toEqual([...Array.from({ length: 5 }, () => 'agent_session_in_use'), 'mine']);
    const winner = racers[said.indexOf('mine')]?.pid;
    expect(owners.holderOf(CONVERSATION)?.pid).toBe(winner);
  } finally {
    for (const racer of racers) racer.kill();
  }
});
