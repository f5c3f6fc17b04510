/**
 * People in control of the unmodified CLIs on the fake model: what they ask is answered, what is sent while they work finds its place (P8, R10, R14).
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import {
  checkJournal,
  isEnding,
  TestDaemon,
  testHome,
  type Event,
  type TestHome,
} from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { agentConfig, type RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let home: TestHome;
let daemon: TestDaemon;
let files = 0;

realDaemonForAll(
  (made) => {
    ({ model, real, home, daemon } = made);
  },
  { current: () => daemon, nothingLeft: true },
);

type Agent = 'claude' | 'codex';

function open(agent: Agent, more: Record<string, unknown> = {}): Promise<string> {
  const env = agent === 'claude' ? real.claude.env : real.codex.env;
  return daemon.session(agent, { cwd: real.cwd, env, mode: 'default', ...more });
}

/** A file that a command would make, in the workspace. */
function fresh(): string {
  files += 1;
  return `made-${String(files)}`;
}

const made = (file: string): boolean => existsSync(join(real.cwd, file));

interface Asked {
  readonly session: string;
  readonly turn: string;
  readonly id: string;
  readonly data: Event['data'];
}

async function ask(session: string, input: string): Promise<Asked> {
  const turn = await daemon.send(session, input);
  const events = await daemon.follow(
    session,
    (event) => event.type === 'permission.requested' && event.turn === turn,
  );
  const data = events.at(-1)!.data;
  return { session, turn, id: String(data['id']), data };
}

async function answer({ session, id }: Asked, body: Record<string, unknown>): Promise<void> {
  const { status } = await daemon.request('POST', `/v1/sessions/${session}/permissions/${id}`, body);
  expect(status).toBe(200);
}

async function send(session: string, input: string, whenBusy: string): Promise<string> {
  const { status, body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, { input, whenBusy });
  expect(status).toBe(202);
  return body.id;
}

function endings(events: readonly Event[]): (readonly [string | undefined, string])[] {
  return events
    .filter((event) => /^turn\.(?:completed|failed|interrupted)$/.test(event.type))
    .map((event) => [event.turn, event.type]);
}

for (const agent of ['claude', 'codex'] as const) {
  describe(agent, () => {
    test('allowed, denied with a message, allowed for the session: one process, each command as decided', async () => {
      const session = await open(agent);
      const [one, two, three] = [fresh(), fresh(), fresh()];
      const allowed = await ask(session, `run: touch ${one}`);
      expect(made(one)).toBe(false);
      await answer(allowed, { decision: 'allow' });
      // Another client is told who was first, whenever it comes.
      const path = `/v1/sessions/${session}/permissions/${allowed.id}`;
      const late = { decision: 'deny' };
      const second = await daemon.request('POST', path, late);
      expect([second.status, second.body.code]).toEqual([409, 'already_resolved']);
      expect(JSON.stringify(second.body)).toContain('home');
      await daemon.ending(session, allowed.turn);
      expect((await daemon.request('POST', path, late)).status).toBe(409);
      expect(made(one)).toBe(true);
      const denied = await ask(session, `run: touch ${two}`);
      await answer(denied, { decision: 'deny', message: 'not on a Monday' });
      const told = (await daemon.ending(session, denied.turn)).at(-1);
      expect(told?.type).toBe('turn.completed');
      expect(made(two)).toBe(false);
      // Codex's protocol has no words for a denial.
      if (agent === 'claude') expect(told?.data['text']).toContain('not on a Monday');
      const always = await ask(session, `run: touch ${three}`);
      await answer(always, { decision: 'allow_for_session' });
      await daemon.ending(session, always.turn);
      const again = await daemon.turn(session, `run: touch ${three}`);
      expect(again.type).toBe('turn.completed');
      const events = await daemon.events(session);
      checkJournal(events);
      const rules = events.filter((event) => event.type === 'permission.resolved' && event.data['rule']);
      expect(rules).toHaveLength(1);
      expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a request outlives kill -9 of the daemon: the same id, answered, and the agent goes on', async () => {
      const session = await open(agent);
      const file = fresh();
      const asked = await ask(session, `run: touch ${file}`);
      await daemon.kill9();
      daemon = await TestDaemon.takeOver(home);
      const { body } = await daemon.request('GET', `/v1/sessions/${session}/permissions`);
      expect(body.items).toMatchObject([{ id: asked.id }]);
      await answer(asked, { decision: 'allow' });
      await daemon.ending(session, asked.turn);
      expect(made(file)).toBe(true);
      const events = await daemon.events(session);
      checkJournal(events);
      expect(events.filter((event) => event.type === 'permission.requested')).toHaveLength(1);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('an interrupt while it asks, right behind the prompt and with a queue behind: one ending each, and it stays warm', async () => {
      const session = await open(agent);
      await daemon.turn(session, 'say ready');
      const file = fresh();
      const asked = await ask(session, `run: touch ${file}`);
      const queued = await send(session, 'say from the queue', 'queue');
      await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
      await daemon.ending(session, queued);
      expect(made(file)).toBe(false);
      const behind = await daemon.send(session, 'say too late');
      await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
      await daemon.ending(session, behind);
      expect((await daemon.turn(session, 'say warm')).data['text']).toContain('warm');
      const events = await daemon.events(session);
      checkJournal(events);
      expect(endings(events).slice(1, 3)).toEqual([
        [asked.turn, 'turn.interrupted'],
        [queued, 'turn.completed'],
      ]);
      expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('three queued messages across a restart of the daemon: in order, each once', async () => {
      const session = await open(agent, { mode: 'bypass' });
      const gate = fresh();
      const first = await daemon.send(session, `say begun then hold ${gate}`);
      await daemon.follow(session, (event) => event.type === 'message.delta');
      const turns = [];
      for (const word of ['uno', 'due', 'tre'])
        turns.push(await send(session, `say ${word}-${agent}`, 'queue'));
      await daemon.kill9();
      daemon = await TestDaemon.takeOver(home);
      model.release(gate);
      await daemon.ending(session, turns[2]!);
      const events = await daemon.events(session);
      checkJournal(events);
      expect(endings(events)).toEqual([first, ...turns].map((turn) => [turn, 'turn.completed']));
      for (const word of ['uno', 'due', 'tre'])
        expect(
          model.requests.filter((one) => one.side === null && one.lastUserText.includes(`${word}-${agent}`)),
        ).toHaveLength(1);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a steer in a tool is taken into the turn', async () => {
      const session = await open(agent, { mode: 'bypass' });
      const file = join(real.cwd, fresh());
      const turn = await daemon.send(session, `run: until [ -e ${file} ]; do sleep 0.05; done; echo went-on`);
      await daemon.follow(session, (event) => event.type === 'tool.started');
      const steer = await send(session, 'say steered indeed', 'steer');
      // In stdin before the tool returns: the agent acknowledges what it queues, or takes it in at once.
      if (agent === 'codex')
        await daemon.follow(session, (event) => event.type === 'turn.started' && event.turn === steer);
      writeFileSync(file, '');
      await daemon.ending(session, turn);
      const events = await daemon.ending(session, steer);
      checkJournal(await daemon.events(session));
      const ending = events.find((event) => event.turn === steer && event.type === 'turn.completed');
      expect(ending?.data['stopReason']).toBe('steered');
      expect(ending?.data['text']).toContain('steered indeed');
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });
  });
}

test('claude: edited input is what runs', async () => {
  const session = await open('claude');
  const [asked, edited] = [fresh(), fresh()];
  const request = await ask(session, `run: touch ${asked}`);
  await answer(request, {
    decision: 'allow',
    input: { ...request.data['tool'].input, command: `touch ${edited}` },
  });
  await daemon.ending(session, request.turn);
  expect([made(asked), made(edited)]).toEqual([false, true]);
});

test('claude: a question with options is answered', async () => {
  const session = await open('claude');
  const request = await ask(session, 'ask: Which colour? Red | Blue');
  expect(request.data).toMatchObject({
    kind: 'question',
    questions: [{ options: [{ label: 'Red' }, { label: 'Blue' }] }],
  });
  await answer(request, { decision: 'allow', answers: { [request.data['questions'][0].id]: ['Blue'] } });
  const events = await daemon.ending(session, request.turn);
  expect(events.at(-1)?.data['text']).toContain('Blue');
});

test('codex: a question with options is answered, in plan mode', async () => {
  const session = await open('codex', { mode: 'plan' });
  const request = await ask(session, 'ask: Which colour? Red | Blue');
  expect(request.data['kind']).toBe('question');
  await answer(request, { decision: 'allow', answers: { [request.data['questions'][0].id]: ['Blue'] } });
  const events = await daemon.ending(session, request.turn);
  expect(events.at(-1)?.data['text']).toContain('Blue');
});

test('nobody answers in time: denied, the agents are told or go on without, and each stays warm', async () => {
  const config = `${agentConfig(real)}\n[permissions]\ntimeoutMs = 500\n`;
  await using quick = testHome({ config, root: real.root });
  const own = await TestDaemon.start(quick);
  await Promise.all(
    (['claude', 'codex'] as const).map(async (agent) => {
      const session = await own.session(agent, { cwd: real.cwd, env: real[agent].env, mode: 'default' });
      const file = fresh();
      const ending = await own.turn(session, `run: touch ${file}`);
      expect([ending.type, made(file)]).toEqual(['turn.completed', false]);
      if (agent === 'claude') expect(ending.data['text']).toMatch(/nobody|in time|no answer/i);
      expect((await own.turn(session, 'say still here')).data['text']).toBe('still here');
      const events = await own.events(session);
      checkJournal(events);
      const resolved = events.filter((event) => event.type === 'permission.resolved');
      expect(resolved.map(({ data }) => [data['decision'], data['by'].kind])).toEqual([['deny', 'deadline']]);
      expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
    }),
  );
  await own.stop();
});

test('codex: a steer while text streams is taken into the turn', async () => {
  const session = await open('codex', { mode: 'bypass' });
  const gate = fresh();
  const turn = await daemon.send(session, `say before\nhold ${gate}\nsay behind`);
  await daemon.follow(session, (event) => event.type === 'message.delta');
  const steer = await send(session, 'say steered into text', 'steer');
  await daemon.follow(session, (event) => event.type === 'turn.started' && event.turn === steer);
  model.release(gate);
  await daemon.ending(session, turn);
  const events = await daemon.ending(session, steer);
  checkJournal(await daemon.events(session));
  expect(events.find((event) => event.turn === steer && event.type === 'turn.completed')?.data).toMatchObject(
    {
      stopReason: 'steered',
      text: expect.stringContaining('steered into text'),
    },
  );
});

test('claude: a steer while text streams waits for the next tool', async () => {
  const session = await open('claude', { mode: 'bypass' });
  const gate = fresh();
  const file = join(real.cwd, fresh());
  const turn = await daemon.send(
    session,
    `say before\nhold ${gate}\nrun: until [ -e ${file} ]; do sleep 0.05; done; echo went-on`,
  );
  await daemon.follow(session, (event) => event.type === 'message.delta');
  const steer = await send(session, 'say steered later', 'steer');
  model.release(gate);
  await daemon.follow(session, (event) => event.type === 'tool.started');
  writeFileSync(file, '');
  await daemon.ending(session, turn);
  const events = await daemon.ending(session, steer);
  checkJournal(await daemon.events(session));
  expect(events.find((event) => event.turn === steer && event.type.endsWith('completed'))).toBeDefined();
});

test.each([false, true])(
  'claude: what it does by itself as a message is written is a turn of its own, and the message has its answer (behind kill -9 of the daemon: %s)',
  async (killed) => {
    const session = await open('claude', { mode: 'bypass' });
    const [gate, file] = [fresh(), join(real.cwd, fresh())];
    const command = `until [ -e ${file} ]; do sleep 0.05; done`;
    const held = { holdHeaders: gate, text: 'Awake by myself' };
    // In the second round of its tool calls: the first is of the message before.
    model.setScenario({ rules: [{ when: ({ unprompted }) => unprompted, reply: [held, held] }] });
    const begun = `tool: Bash ${JSON.stringify({ command, run_in_background: true })}\nsay Started`;
    const first = await daemon.turn(session, begun);
    model.forget();
    writeFileSync(file, '');
    await model.waitForRequest(({ unprompted }) => unprompted);
    // It works, and has put nothing out yet.
    const mine = await daemon.send(session, 'say mine');
    await daemon.follow(session, (event) => event.type === 'turn.started' && event.turn === mine);
    if (killed) {
      await daemon.kill9();
      daemon = await TestDaemon.takeOver(home);
    }
    model.release(gate);
    const events = await daemon.ending(session, mine);
    model.setScenario(undefined);
    checkJournal(events);
    const own = events.find((event) => event.data['origin'] === 'agent')?.turn;
    const said = (turn: string | undefined): unknown[] =>
      events
        .filter((event) => event.turn === turn && event.type === 'message.completed')
        .map(({ data }) => data['text']);
    expect(said(own)).toEqual(['Awake by myself']);
    expect(said(mine)).toEqual(['mine']);
    expect(events.filter(isEnding).map(({ type, turn }) => [type, turn])).toEqual([
      ['turn.completed', first.turn],
      ['turn.completed', own],
      ['turn.completed', mine],
    ]);
  },
);

for (const agent of ['claude', 'codex'] as const) {
  test(`${agent}: mode and model are changed on the process that runs: the mode is obeyed, the model is asked for, and it remembers`, async () => {
    const session = await open(agent, { mode: 'bypass' });
    const [free, asked] = [fresh(), fresh()];
    await daemon.turn(session, `run: touch ${free}`);
    expect(made(free)).toBe(true);
    await daemon.turn(session, 'remember: the code is 4711');
    const { status, body } = await daemon.request('PATCH', `/v1/sessions/${session}`, {
      mode: 'default',
      model: `other-model-${agent}`,
    });
    expect([status, body.mode, body.model]).toEqual([200, 'default', `other-model-${agent}`]);
    const denied = await ask(session, `run: touch ${asked}`);
    await answer(denied, { decision: 'deny' });
    await daemon.ending(session, denied.turn);
    expect(made(asked)).toBe(false);
    const ending = await daemon.turn(session, 'recall');
    expect(ending.data['text']).toContain('4711');
    expect(model.requests.filter((one) => one.side === null).at(-1)?.model).toBe(`other-model-${agent}`);
    const events = await daemon.events(session);
    checkJournal(events);
    expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  });
}
