import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome } from '../support/daemon.ts';

/** P4: a message reaches its agent once, whatever is repeated and whatever dies between accepting and delivering. */

function received(log: string): string[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { text: string }).text);
}

test('a repeated key gives the same turn and one message', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const log = join(home.cwd, 'received');
  const session = await daemon.session('claude', { env: { FAKE_AGENT_LOG: log } });
  const body = { input: 'say once' };
  const answers = await Promise.all(
    [1, 2, 3].map(() =>
      daemon.request('POST', `/v1/sessions/${session}/turns`, body, { 'idempotency-key': 'k1' }),
    ),
  );
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(2);
  await daemon.ending(session, answers[0]?.body.id);
  const late = await daemon.request('POST', `/v1/sessions/${session}/turns`, body, {
    'idempotency-key': 'k1',
  });
  expect([late.status, late.body.id]).toEqual([202, answers[0]?.body.id]);
  const other = await daemon.request(
    'POST',
    `/v1/sessions/${session}/turns`,
    { input: 'say two' },
    { 'idempotency-key': 'k1' },
  );
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
  expect(received(log)).toEqual(['say once']);
  await daemon.stop();
});

for (const agent of ['claude', 'codex']) {
  test(`${agent}: killed between accepting and writing, the message arrives once`, async () => {
    await using home = testHome();
    const daemon = await TestDaemon.start(home);
    const log = join(home.cwd, 'received');
    const session = await daemon.session(agent, { env: { FAKE_AGENT_LOG: log } });
    await daemon.turn(session, 'say first');
    // A keeper that is stopped cannot write: what is accepted now is durable, and in nobody's stdin.
    const keeper: { pid: number } = JSON.parse(readFileSync(join(home.path, 'keeper.json'), 'utf8'));
    process.kill(keeper.pid, 'SIGSTOP');
    const turn = await daemon.send(session, 'say second');
    await daemon.kill9();
    process.kill(keeper.pid, 'SIGCONT');
    const next = await TestDaemon.takeOver(home);
    const events = await next.ending(session, turn);
    expect(events.at(-1)?.type).toBe('turn.completed');
    checkJournal(events);
    expect(received(log)).toEqual(['say first', 'say second']);
    await next.stop();
  });
}

test('killed with a process still starting: another is started and the message arrives once', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const log = join(home.cwd, 'received');
  const session = await daemon.session('claude', {
    env: { FAKE_AGENT_LOG: log, FAKE_FAULT: 'slow-start:1500' },
  });
  const turn = await daemon.send(session, 'say hi');
  await daemon.kill9();
  const next = await TestDaemon.takeOver(home);
  const events = await next.ending(session, turn);
  expect(events.at(-1)?.type).toBe('turn.completed');
  checkJournal(events);
  expect(received(log)).toEqual(['say hi']);
  await next.stop();
});
