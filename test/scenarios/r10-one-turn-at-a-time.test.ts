import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { checkJournal, TestDaemon, testHome, textOf, type TestHome, FAKES } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** R10: one turn at a time; a message that comes while one runs is queued, steered, or interrupts, as the caller says. */

let home: TestHome;
let daemon: TestDaemon;
let gates = 0;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

function gate(at: TestHome = home): string {
  gates += 1;
  return join(at.cwd, `gate-${String(gates)}`);
}

interface Sent {
  readonly id: string;
  readonly state: string;
  readonly steered?: string;
}

async function send(
  session: string,
  input: string,
  whenBusy: string,
  on: TestDaemon = daemon,
): Promise<Sent> {
  const { status, body } = await on.request('POST', `/v1/sessions/${session}/turns`, { input, whenBusy });
  expect(status).toBe(202);
  return body;
}

/** A session with a turn that runs until its gate is opened. */
async function busy(
  agent: string,
  on: TestDaemon = daemon,
  more: Record<string, unknown> = {},
): Promise<{ readonly session: string; readonly turn: string; readonly open: () => void }> {
  const file = gate();
  const session = await on.session(agent, more);
  const turn = await on.send(session, `hold ${file}`);
  await on.follow(session, (event) => event.type === 'message.delta' && event.turn === turn);
  return { session, turn, open: () => writeFileSync(file, '') };
}

function received(log: string): string[] {
  if (!existsSync(log)) return [];
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { text: string }).text);
}

for (const agent of ['claude', 'codex']) {
  describe.concurrent(agent, () => {
    test('queued turns run in order, each with its ending, and are told by their position', async () => {
      const { session, turn, open } = await busy(agent);
      const one = await send(session, 'say one', 'queue');
      const two = await send(session, 'say two', 'queue');
      const three = await send(session, 'say three', 'queue');
      const view = await daemon.request('GET', `/v1/sessions/${session}`);
      expect([view.body.currentTurn, view.body.queuedTurns]).toEqual([turn, 3]);
      const back = await daemon.request('DELETE', `/v1/sessions/${session}/turns/${two.id}`);
      expect([back.status, back.body.state]).toEqual([200, 'interrupted']);
      open();
      const events = await daemon.ending(session, three.id);
      checkJournal(events);
      const of = (type: string): (string | undefined)[] =>
        events.filter((event) => event.type === type).map((event) => event.turn);
      expect(of('turn.started')).toEqual([turn, one.id, three.id]);
      expect(of('turn.completed')).toEqual([turn, one.id, three.id]);
      expect(of('turn.interrupted')).toEqual([two.id]);
      expect(textOf(events, three.id)).toBe('three');
      const positions = events.filter((event) => event.type === 'turn.queued').map((e) => e.data['position']);
      expect(positions).toEqual([0, 1, 2, 3]);
    });

    test('a message that interrupts goes before the queue', async () => {
      const { session, turn } = await busy(agent);
      const later = await send(session, 'say later', 'queue');
      const now = await send(session, 'say now', 'interrupt');
      const events = await daemon.ending(session, later.id);
      checkJournal(events);
      const endings = events
        .filter(
          (event) =>
            event.type.startsWith('turn.') && ['completed', 'interrupted'].includes(event.type.slice(5)),
        )
        .map((event) => [event.turn, event.type]);
      expect(endings).toEqual([
        [turn, 'turn.interrupted'],
        [now.id, 'turn.completed'],
        [later.id, 'turn.completed'],
      ]);
    });

    test('an interrupt that clears the queue ends what waits in it', async () => {
      const { session, turn } = await busy(agent);
      const one = await send(session, 'say one', 'queue');
      const two = await send(session, 'say two', 'queue');
      await daemon.request('POST', `/v1/sessions/${session}/interrupt`, { queue: 'clear' });
      const events = await daemon.ending(session, turn);
      checkJournal(events);
      const ended = events.filter((event) => event.type === 'turn.interrupted').map((event) => event.turn);
      expect(new Set(ended)).toEqual(new Set([turn, one.id, two.id]));
      expect(ended).toHaveLength(3);
      expect((await daemon.turn(session, 'say on')).type).toBe('turn.completed');
    });

    test('closing ends the turn, its requests and everything that waits', async () => {
      const { session, turn } = await busy(agent);
      const one = await send(session, 'say one', 'queue');
      // Codex takes a steer at once, and would be done.
      const two = await send(session, 'say two', agent === 'claude' ? 'steer' : 'queue');
      await daemon.request('DELETE', `/v1/sessions/${session}`);
      const events = await daemon.events(session);
      checkJournal(events);
      const ended = events.filter((event) => event.type === 'turn.interrupted').map((event) => event.turn);
      expect(new Set(ended)).toEqual(new Set([turn, one.id, two.id]));
      expect(ended).toHaveLength(3);
    });

    test('a steer in a tool is taken into the turn and ends with it', async () => {
      const log = gate();
      const session = await daemon.session(agent, { env: { FAKE_AGENT_LOG: log } });
      const file = gate();
      const turn = await daemon.send(session, `tool-until ${file} then say done`);
      await daemon.follow(session, (event) => event.type === 'tool.started' && event.turn === turn);
      const steer = await send(session, 'say and this', 'steer');
      expect(steer.steered).toBe(turn);
      await until(() => received(log).length === 2);
      writeFileSync(file, '');
      const events = await daemon.ending(session, turn);
      const ending = (await daemon.ending(session, steer.id)).find(
        (event) => event.turn === steer.id && event.type === 'turn.completed',
      );
      checkJournal(events);
      expect(ending?.data).toMatchObject({ stopReason: 'steered' });
      const view = await daemon.request('GET', `/v1/sessions/${session}/turns/${steer.id}`);
      expect(view.body).toMatchObject({ state: 'completed', steered: turn, stopReason: 'steered' });
      expect((await daemon.turn(session, 'say next')).type).toBe('turn.completed');
    });

    test('queued turns survive stop and start of the daemon', async () => {
      await using other = testHome();
      const first = await TestDaemon.start(other);
      const log = join(other.cwd, 'received');
      const { session, turn } = await busy(agent, first, { env: { FAKE_AGENT_LOG: log } });
      const one = await send(session, 'say one', 'queue', first);
      const two = await send(session, 'say two', 'queue', first);
      await first.stop();
      const next = await TestDaemon.start(other);
      const events = await next.ending(session, two.id);
      checkJournal(events);
      expect(textOf(events, one.id)).toBe('one');
      expect(events.find((event) => event.turn === turn && event.type === 'turn.interrupted')).toBeDefined();
      expect(received(log).slice(1)).toEqual(['say one', 'say two']);
      await next.stop();
    });

    test('queued turns survive kill -9 of the daemon, each runs once', async () => {
      await using other = testHome();
      const first = await TestDaemon.start(other);
      const log = join(other.cwd, 'received');
      const { session, open } = await busy(agent, first, { env: { FAKE_AGENT_LOG: log } });
      await send(session, 'say one', 'queue', first);
      const two = await send(session, 'say two', 'queue', first);
      await first.kill9();
      open();
      const next = await TestDaemon.takeOver(other);
      const events = await next.ending(session, two.id);
      checkJournal(events);
      expect(received(log).slice(1)).toEqual(['say one', 'say two']);
      await next.stop();
    });
  });
}

test('claude: a steer while text streams waits for its own turn when no tool comes', async () => {
  const { session, turn, open } = await busy('claude');
  const steer = await send(session, 'say late', 'steer');
  expect(steer.steered).toBe(turn);
  open();
  const events = await daemon.ending(session, steer.id);
  checkJournal(events);
  expect(textOf(events, steer.id)).toBe('late');
  const view = await daemon.request('GET', `/v1/sessions/${session}/turns/${steer.id}`);
  expect(view.body).toMatchObject({ state: 'completed', stopReason: 'end_turn' });
  expect(view.body.steered).toBeUndefined();
});

test('codex: a steer while text streams is taken into the turn', async () => {
  const { session, turn, open } = await busy('codex');
  const steer = await send(session, 'say more', 'steer');
  await daemon.follow(session, (event) => event.type === 'turn.started' && event.turn === steer.id);
  open();
  const events = await daemon.ending(session, turn);
  checkJournal(events);
  expect(
    events.find((event) => event.turn === steer.id && event.type === 'turn.completed')?.data,
  ).toMatchObject({
    stopReason: 'steered',
  });
});

test('more messages than may wait are refused with the bound, and nothing is lost', async () => {
  await using other = testHome({ config: `[session]\nmaxQueued = 3\n${FAKES}` });
  const on = await TestDaemon.start(other);
  const { session, open } = await busy('claude', on);
  for (const text of ['one', 'two', 'three']) await send(session, `say ${text}`, 'queue', on);
  const refused = await on.request('POST', `/v1/sessions/${session}/turns`, {
    input: 'say four',
    whenBusy: 'queue',
  });
  expect([refused.status, refused.body.code]).toEqual([429, 'limit']);
  open();
  const { body } = await on.request('GET', `/v1/sessions/${session}/turns`);
  await on.ending(session, body.items.at(-1).id);
  await on.stop();
});

test('a session that has had its turns takes no more: limit_reached', async () => {
  const session = await daemon.session('claude', { limits: { maxTurns: 1 } });
  expect((await daemon.turn(session, 'say one')).type).toBe('turn.completed');
  const over = await daemon.turn(session, 'say two');
  expect([over.type, over.data['code'], over.data['effects']]).toEqual([
    'turn.failed',
    'limit_reached',
    'none',
  ]);
});

test('a turn that runs or has ended cannot be taken back', async () => {
  const { session, turn, open } = await busy('claude');
  const running = await daemon.request('DELETE', `/v1/sessions/${session}/turns/${turn}`);
  expect([running.status, running.body.code]).toEqual([409, 'turn_in_progress']);
  open();
  await daemon.ending(session, turn);
  const ended = await daemon.request('DELETE', `/v1/sessions/${session}/turns/${turn}`);
  expect([ended.status, ended.body.code]).toEqual([409, 'no_turn']);
});
