import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAgents, Owners, type AgentSettings } from '../agents/index.ts';
import { processIdentity } from '../process/index.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { conversationOf, ownersFolder, ownershipOf, refuseInUse } from './ownership.ts';

const OWN = processIdentity(process.pid)!;
const dialect = createAgents({
  env: {},
  paths: {},
  limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
}).dialect('claude')!;

class Stage implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'pl-ownership-'));
  readonly owners = new Owners(join(this.root, 'owners'));
  readonly env = { CLAUDE_CONFIG_DIR: join(this.root, 'claude') };
  readonly errors: unknown[] = [];
  readonly #children: ChildProcess[] = [];

  settings(resume: string): AgentSettings {
    return {
      session: 'ses_a',
      cwd: this.root,
      mode: 'default',
      resume,
      freshId: 'fresh',
      agentOptions: {},
      env: this.env,
      limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
    };
  }

  ownership(session = 'ses_a', formerMs = 5000): ReturnType<typeof ownershipOf> {
    const { owners, errors } = this;
    const report = (error: unknown): void => void errors.push(error);
    return ownershipOf({ owners, dialect, session, home: '/home/a', own: OWN, formerMs, report });
  }

  process(): { readonly child: ChildProcess; readonly identity: ProcessIdentity } {
    const child = spawn('sleep', ['60']);
    this.#children.push(child);
    return { child, identity: processIdentity(child.pid!)! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill();
    rmSync(this.root, { recursive: true, force: true });
  }
}

const never = new AbortController().signal;

test('a process of the same session that is being ended is waited for; then the conversation goes over', async () => {
  await using stage = new Stage();
  const { child, identity } = stage.process();
  const before = stage.ownership();
  await before.starting(stage.settings('c-1'), never);
  before.by(identity, '/bin/claude');
  const next = stage.ownership();
  const started = next.starting(stage.settings('c-1'), never);
  const exited = once(child, 'exit');
  child.kill();
  await exited;
  await started;
  expect(stage.owners.holderOf(conversationOf(dialect, stage.env, 'c-1'))).toMatchObject({ pid: OWN.pid });
  expect(stage.errors).toEqual([]);
});

test('one that cannot be ended is waited for only so long, and named', async () => {
  await using stage = new Stage();
  const { identity } = stage.process();
  const before = stage.ownership();
  await before.starting(stage.settings('c-1'), never);
  before.by(identity, '/bin/claude');
  await expect(stage.ownership('ses_a', 1).starting(stage.settings('c-1'), never)).rejects.toMatchObject({
    code: 'agent_session_in_use',
    fix: expect.stringContaining(`kill -9 ${String(identity.pid)}`),
  });
});

test('a stranger is not waited for', async () => {
  await using stage = new Stage();
  await stage.ownership('ses_b').starting(stage.settings('c-1'), never);
  await expect(stage.ownership('ses_a', 60_000).starting(stage.settings('c-1'), never)).rejects.toMatchObject(
    { code: 'agent_session_in_use', detail: { session: 'ses_b', home: '/home/a' } },
  );
});

test('a conversation that changes its id in a process: the new one is held, the old one is free', async () => {
  await using stage = new Stage();
  const { identity } = stage.process();
  const owned = stage.ownership();
  await owned.starting(stage.settings('c-1'), never);
  owned.by(identity, '/bin/claude');
  owned.in('c-2');
  const holder = (id: string): unknown => stage.owners.holderOf(conversationOf(dialect, stage.env, id));
  expect(holder('c-2')).toMatchObject({ pid: identity.pid, command: 'claude', session: 'ses_a' });
  await expect(stage.ownership('ses_b').starting(stage.settings('c-1'), never)).resolves.toBeUndefined();
});

test('the same directory by another name is the same, also before there is one', async () => {
  await using stage = new Stage();
  const link = join(stage.root, 'link');
  symlinkSync(stage.root, link);
  await stage.ownership().starting(stage.settings('c-1'), never);
  mkdirSync(stage.env.CLAUDE_CONFIG_DIR);
  const other = { ...stage.settings('c-1'), env: { CLAUDE_CONFIG_DIR: join(link, 'claude') } };
  await expect(stage.ownership('ses_b').starting(other, never)).rejects.toMatchObject({
    code: 'agent_session_in_use',
  });
});

test('a process of before whose conversation somebody else has, too, is taken over all the same', async () => {
  await using stage = new Stage();
  await stage.ownership('ses_b').starting(stage.settings('c-1'), never);
  const { identity } = stage.process();
  stage.ownership().adopted(stage.settings('c-1'), identity);
  expect(stage.errors).toMatchObject([{ code: 'agent_session_in_use' }]);
});

test('by the registry of Claude: a live process keeps others out; a dead one, a torn and a foreign entry do not', async () => {
  await using stage = new Stage();
  const folder = join(stage.env.CLAUDE_CONFIG_DIR, 'sessions');
  mkdirSync(folder, { recursive: true });
  const { identity } = stage.process();
  const entry = (startTime: string): string =>
    JSON.stringify({ pid: identity.pid, sessionId: 'c-1', procStart: startTime, kind: 'interactive' });
  const refused = (): void =>
    refuseInUse({ owners: stage.owners, dialect }, conversationOf(dialect, stage.env, 'c-1'));
  const file = join(folder, `${String(identity.pid)}.json`);
  writeFileSync(join(folder, 'notes.json'), entry(identity.startTime));
  for (const text of ['', '{"pid":', '[]', '{"pid":"x"}', entry('of another one')]) {
    writeFileSync(file, text);
    expect(refused).not.toThrow();
  }
  writeFileSync(file, entry(identity.startTime));
  expect(refused).toThrow(`in use by process ${String(identity.pid)} (claude)`);
});

test('a folder that cannot be written costs the record, is told, and stops nothing', async () => {
  await using stage = new Stage();
  writeFileSync(join(stage.root, 'owners'), 'a file, not a folder');
  await expect(stage.ownership().starting(stage.settings('c-1'), never)).resolves.toBeUndefined();
  expect(stage.errors).toHaveLength(1);
});

test('the records are where the user keeps state', () => {
  expect(ownersFolder({ XDG_STATE_HOME: '/s', HOME: '/h' })).toBe('/s/pilotlight/owners');
  expect(ownersFolder({ XDG_STATE_HOME: '', HOME: '/h' })).toBe('/h/.local/state/pilotlight/owners');
  expect(ownersFolder({})).toBeUndefined();
});
