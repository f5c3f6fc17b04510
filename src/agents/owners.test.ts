import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive, processIdentity } from '../process/identity.ts';
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

test('a record of a later version is believed as far as it names a live process', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder());
  writeFileSync(
    folder.file,
    JSON.stringify({ ...holder({ session: 'ses_new' }), v: 2, lease: { until: 1 } }),
  );
  expect(() => owners.take(CONVERSATION, holder({ session: 'ses_b' }))).toThrow('for session ses_new');
  writeFileSync(folder.file, JSON.stringify({ ...holder(DEAD), v: 2, lease: { until: 1 } }));
  expect(() => owners.take(CONVERSATION, holder({ session: 'ses_b' }))).not.toThrow();
});

test('one whose own process of before cannot be ended is told which process that is', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder({ pid: 1, startTime: processIdentity(1)!.startTime }));
  expect(() => owners.take(CONVERSATION, holder())).toThrow(
    expect.objectContaining({ fix: expect.stringContaining('kill -9 1)') }),
  );
});

test('a sweep removes what dead processes left, and nothing else', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.sweep();
  owners.take(CONVERSATION, holder(DEAD));
  owners.take({ ...CONVERSATION, id: 'c-2' }, holder());
  owners.take({ ...CONVERSATION, id: 'c-3' }, holder());
  writeFileSync(join(folder.path, 'notes.txt'), 'mine');
  const future = join(
    folder.path,
    folder.files.find((name) => name.endsWith('.json'))!,
  );
  owners.sweep();
  expect(folder.files).toHaveLength(3);
  writeFileSync(future, '{"v":9,"who":"me"}');
  owners.sweep();
  expect(owners.holderOf(CONVERSATION)).toBeUndefined();
  expect(folder.files).toContain('notes.txt');
});

/** Does `meanwhile` once, when somebody asks whether a dead process lives: between reading the records and following them. */
function interleaved(folder: Folder, meanwhile: () => void): Owners {
  let done = false;
  return new Owners(folder.path, (process) => {
    if (process.startTime === DEAD.startTime && !done) {
      done = true;
      meanwhile();
    }
    return isAlive(process);
  });
}

test('a dead claim that is released, and its conversation taken anew, while another follows it: one has it', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  const dead = owners.take(CONVERSATION, holder(DEAD));
  const slow = interleaved(folder, () => {
    dead.release(SELF);
    owners.take(CONVERSATION, holder({ session: 'ses_b' }));
  });
  expect(() => slow.take(CONVERSATION, holder({ session: 'ses_c' }))).toThrow('for session ses_b');
  expect(owners.holderOf(CONVERSATION)?.session).toBe('ses_b');
  expect(folder.files).toHaveLength(1);
});

test('one that is slow to follow a dead claim finds those who came and went above it', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  owners.take(CONVERSATION, holder(DEAD));
  const slow = interleaved(folder, () => {
    owners.take(CONVERSATION, holder({ ...DEAD, session: 'ses_b' }));
    owners.take(CONVERSATION, holder({ session: 'ses_c' }));
  });
  expect(() => slow.take(CONVERSATION, holder({ session: 'ses_d' }))).toThrow('for session ses_c');
  expect(folder.files).toHaveLength(1);
});

test('a daemon that sees late that its process is gone does not release what others took meanwhile', () => {
  using folder = new Folder();
  const owners = new Owners(folder.path);
  const late = owners.take(CONVERSATION, holder(DEAD));
  owners.take(CONVERSATION, holder({ session: 'ses_b' })).release(SELF);
  owners.take(CONVERSATION, holder({ session: 'ses_c' }));
  late.release(SELF);
  expect(owners.holderOf(CONVERSATION)?.session).toBe('ses_c');
});

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
