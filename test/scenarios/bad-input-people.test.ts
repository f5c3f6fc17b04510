import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import {
  checkJournal,
  isEnding,
  TestDaemon,
  testHome,
  type Event,
  type TestHome,
} from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';
import { marked } from '../support/processes.ts';

/** What people may do wrong with requests, rules and queues, and two of them at the same time with every verb: one effect, and the other is told. */

let home: TestHome;
let daemon: TestDaemon;
let gates = 0;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

type Answer = Awaited<ReturnType<TestDaemon['request']>>;

const said = ({ status, body }: Answer): [number, string | undefined] => [status, body?.code];

/** The same at the same time, from as many clients. */
function all(times: number, act: (n: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: times }, (_, n) => act(n)));
}

function counted(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = status < 300 ? String(status) : `${String(status)} ${String(body.code)}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

async function asked(agent: string): Promise<{ session: string; turn: string; id: string }> {
  const session = await daemon.session(agent, { mode: 'default' });
  const turn = await daemon.send(session, 'ask');
  const events = await daemon.follow(session, ({ type }) => type === 'permission.requested');
  return { session, turn, id: String(events.at(-1)?.data['id']) };
}

/** A session with a turn that runs until it is opened. */
async function busy(agent: string): Promise<{ session: string; turn: string; open: () => void }> {
  const session = await daemon.session(agent);
  gates += 1;
  const gate = join(home.cwd, `gate-${String(gates)}`);
  const turn = await daemon.send(session, `hold ${gate}`);
  await daemon.follow(session, (event) => event.type === 'message.delta' && event.turn === turn);
  return { session, turn, open: () => writeFileSync(gate, '') };
}

const endings = (events: readonly Event[], turn: string): string[] =>
  events.filter((event) => event.turn === turn && isEnding(event)).map(({ type }) => type);

for (const agent of ['claude', 'codex']) {
  describe.concurrent(agent, () => {
    test('answers to a request that never was, is of another session, or is over: told which, and what is open stays open', async () => {
      const [mine, other] = [await asked(agent), await asked(agent)];
      const answer = (session: string, id: string): Promise<Answer> =>
        daemon.request('POST', `/v1/sessions/${session}/permissions/${id}`, { decision: 'allow' });
      expect(said(await answer(mine.session, 'prm_nothing'))).toEqual([404, 'not_found']);
      expect(said(await answer('ses_nothing', mine.id))).toEqual([404, 'not_found']);
      expect(said(await answer(mine.session, other.id))).toEqual([404, 'not_found']);
      const { body } = await daemon.request('GET', `/v1/sessions/${mine.session}/permissions`);
      expect(body.items.map((one: { id: string }) => one.id)).toEqual([mine.id]);
      await daemon.request('DELETE', `/v1/sessions/${mine.session}`);
      expect(said(await answer(mine.session, mine.id))).toEqual([409, 'already_resolved']);
      await daemon.request('POST', `/v1/sessions/${other.session}/interrupt`);
      checkJournal(await daemon.ending(other.session, other.turn));
    });

    test('text of NULs, lone surrogates, line breaks of every kind and terminal codes: kept as it was sent, and answered in what an agent can read', async () => {
      const session = await daemon.session(agent);
      for (const [text, answer] of [
        ['say \u0000ok\u0000', agent === 'claude' ? '\ufffdok\ufffd' : '\u0000ok\u0000'],
        ['say ok \ud800 and \udc00', 'ok \ufffd and \ufffd'],
        ['say one\u2028two\u2029three\u0085four', 'one\u2028two\u2029three\u0085four'],
        ['say ok\ufeff \u001b[31mred\u0007 one', 'ok\ufeff \u001b[31mred\u0007 one'],
      ] as const) {
        const turn = await daemon.send(session, text);
        const events = (await daemon.ending(session, turn)).filter((event) => event.turn === turn);
        expect(events[0]?.data['input']).toBe(text);
        expect([events.at(-1)?.type, events.at(-1)?.data['text']]).toEqual(['turn.completed', answer]);
      }
      checkJournal(await daemon.events(session));
    });

    test('steered by two at once: each message ends once, and the turn too', async () => {
      const { session, turn, open } = await busy(agent);
      const both = await all(2, (n) =>
        daemon.request('POST', `/v1/sessions/${session}/turns`, {
          input: `say steered ${String(n)}`,
          whenBusy: 'steer',
        }),
      );
      expect(counted(both)).toEqual({ 202: 2 });
      open();
      const turns = [turn, ...both.map(({ body }) => String(body.id))];
      for (const one of turns) await daemon.ending(session, one);
      const events = await daemon.events(session);
      expect(turns.map((one) => endings(events, one).length)).toEqual([1, 1, 1]);
      checkJournal(events);
    });

    test('interrupted by two at once: it ends once, and who came behind the end is told that nothing runs', async () => {
      const { session, turn } = await busy(agent);
      const both = await all(2, () => daemon.request('POST', `/v1/sessions/${session}/interrupt`));
      expect([{ 202: 2 }, { 202: 1, '409 no_turn': 1 }]).toContainEqual(counted(both));
      await daemon.ending(session, turn);
      const events = await daemon.events(session);
      expect(endings(events, turn)).toEqual(['turn.interrupted']);
      checkJournal(events);
    });

    test('answered and interrupted at once: the request is resolved once, the turn ends once', async () => {
      const { session, turn, id } = await asked(agent);
      const [answer, interrupt] = await Promise.all([
        daemon.request('POST', `/v1/sessions/${session}/permissions/${id}`, { decision: 'allow' }),
        daemon.request('POST', `/v1/sessions/${session}/interrupt`),
      ]);
      expect([200, 409]).toContain(answer.status);
      expect(['202', '409 no_turn']).toContain(Object.keys(counted([interrupt]))[0]);
      await daemon.ending(session, turn);
      const events = await daemon.events(session);
      expect(events.filter(({ type }) => type === 'permission.resolved')).toHaveLength(1);
      expect(endings(events, turn)).toHaveLength(1);
      checkJournal(events);
    });
  });
}

describe.concurrent('two at once', () => {
  test('create with one key: one session, the others are told its id', async () => {
    const body = { agent: 'claude', cwd: home.cwd, name: 'raced' };
    const headers = { 'idempotency-key': 'raced-create' };
    const answers = await all(8, () => daemon.request('POST', '/v1/sessions', body, headers));
    expect(counted(answers)).toEqual({ 201: 8 });
    expect(new Set(answers.map((one) => one.body.id)).size).toBe(1);
    expect(answers.filter((one) => one.headers.get('idempotency-replayed') === 'true')).toHaveLength(7);
    const { items } = (await daemon.request('GET', '/v1/sessions')).body;
    expect(items.filter((one: { name?: string }) => one.name === 'raced')).toHaveLength(1);
  });

  test('send: one message runs, the others are told which', async () => {
    const session = await daemon.session('claude');
    const answers = await all(8, (n) =>
      daemon.request('POST', `/v1/sessions/${session}/turns`, { input: `say ${String(n)}` }),
    );
    expect(counted(answers)).toEqual({ 202: 1, '409 turn_in_progress': 7 });
    const turn = answers.find(({ status }) => status === 202)?.body.id;
    expect(answers.filter(({ status }) => status === 409).map(({ body }) => body.turn)).toEqual(
      Array.from({ length: 7 }, () => turn),
    );
    const events = await daemon.ending(session, turn);
    expect(events.filter(({ type }) => type === 'turn.queued')).toHaveLength(1);
  });

  test('send with one key: one message, the others are told its turn', async () => {
    const session = await daemon.session('claude');
    const headers = { 'idempotency-key': 'raced-send' };
    const answers = await all(8, () =>
      daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say once' }, headers),
    );
    expect(counted(answers)).toEqual({ 202: 8 });
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const events = await daemon.ending(session, answers[0]?.body.id);
    expect(events.filter(({ type }) => type === 'turn.queued')).toHaveLength(1);
  });

  test('take back: one takes it, the other is told that it has ended, and it never runs', async () => {
    const { session, turn, open } = await busy('claude');
    const queued = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
      input: 'say never',
      whenBusy: 'queue',
    });
    const answers = await all(2, () =>
      daemon.request('DELETE', `/v1/sessions/${session}/turns/${String(queued.body.id)}`),
    );
    expect(answers.filter(({ status }) => status < 300)).toHaveLength(1);
    expect(answers.find(({ status }) => status >= 300)?.status).toBe(409);
    open();
    await daemon.ending(session, turn);
    const events = await daemon.events(session);
    expect(endings(events, queued.body.id)).toEqual(['turn.interrupted']);
    expect(events.filter((event) => event.turn === queued.body.id)).toHaveLength(2);
    checkJournal(events);
  });

  test('close: both are told that it is closed, it is once, and a message beside them is one or the other', async () => {
    const session = await daemon.session('claude');
    await daemon.turn(session, 'say first');
    const [sent, ...closed] = await Promise.all([
      daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say second' }),
      daemon.request('DELETE', `/v1/sessions/${session}`),
      daemon.request('DELETE', `/v1/sessions/${session}`),
    ]);
    expect(counted(closed)).toEqual({ 200: 2 });
    expect(['202', '409 session_closed']).toContain(Object.keys(counted([sent])).join());
    const events = await daemon.follow(session, ({ type }) => type === 'runtime.ended');
    expect(events.filter(({ type }) => type === 'session.closed')).toHaveLength(1);
    checkJournal(await daemon.events(session));
  });

  test('PATCH: both hold where they do not touch, the last one where they do, and each is an event', async () => {
    const session = await daemon.session('claude');
    const answers = await Promise.all([
      daemon.request('PATCH', `/v1/sessions/${session}`, { name: 'one', metadata: { by: 'one' } }),
      daemon.request('PATCH', `/v1/sessions/${session}`, { name: 'two', mode: 'plan' }),
    ]);
    expect(counted(answers)).toEqual({ 200: 2 });
    const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
    expect([body.mode, body.metadata]).toEqual(['plan', { by: 'one' }]);
    const updates = (await daemon.events(session)).filter(({ type }) => type === 'session.updated');
    expect(updates).toHaveLength(2);
    expect(updates.at(-1)?.data['name']).toBe(body.name);
  });
});

test('tokens, the list of workspaces and retention, by two at once: one name, one entry, one end, and the other is told', async () => {
  const wish = { name: 'raced', scopes: ['read'] };
  const made = await all(8, () => daemon.request('POST', '/v1/tokens', wish));
  expect(counted(made)).toEqual({ 201: 1, '400 bad_request': 7 });
  const id = String(made.find(({ status }) => status === 201)?.body.id);
  const revoked = await all(2, () => daemon.request('DELETE', `/v1/tokens/${id}`));
  expect(counted(revoked)).toEqual({ 200: 1, '404 not_found': 1 });
  const path = home.cwd;
  const trusted = await all(8, () => daemon.request('POST', '/v1/workspaces', { path, trusted: true }));
  expect(counted(trusted)).toEqual({ 200: 8 });
  const { items } = (await daemon.request('GET', '/v1/workspaces')).body;
  expect(items.filter((one: { path: string }) => one.path === path)).toHaveLength(1);
  const swept = await all(2, () => daemon.request('POST', '/v1/daemon/gc'));
  expect(counted(swept)).toEqual({ 200: 2 });
});

test('stopped by two at once, one of whom does not wait: both exit with 0 and at once, the turn that ran ends once, nothing is left', async () => {
  await using own = testHome();
  const first = await TestDaemon.start(own);
  const session = await first.session('claude');
  const turn = await first.send(session, 'tool-hang');
  await first.follow(session, ({ type }) => type === 'tool.started');
  const waiting = cli(own, ['stop', '--json']);
  // The first has been heard: nothing new is taken any more.
  const busy = { input: 'say no' };
  while ((await first.request('POST', `/v1/sessions/${session}/turns`, busy)).status === 409);
  const stopped = await Promise.all([waiting, cli(own, ['stop', '--json', '--now'])]);
  expect(stopped.map(({ code }) => code)).toEqual([0, 0]);
  expect(marked(own.root)).toEqual([]);
  const next = await TestDaemon.start(own);
  const events = await next.events(session);
  expect(endings(events, turn)).toHaveLength(1);
  checkJournal(events);
  await next.stop();
});

test('rules that cannot be meant are refused by their place, at creation and by PATCH, and those there are stay', async () => {
  const good = [{ tool: 'execute', match: 'git status', decision: 'allow' }];
  const session = await daemon.session('claude', { permissionPolicy: good });
  for (const rule of [
    { tool: 'edit', match: 'src/[ab', decision: 'allow' },
    { tool: 'edit', match: 'src/{a,b', decision: 'deny' },
    { tool: 'Bash(git status)', decision: 'allow' },
    { tool: 'execute', match: 'git "status', decision: 'allow' },
    { tool: 'execute', match: 'git status && rm x', decision: 'allow' },
    { tool: 'think', match: 'x', decision: 'deny' },
    { tool: 'execute', match: 'x', decision: 'maybe' },
    { tool: 'execute', matches: 'x', decision: 'allow' },
  ]) {
    const permissionPolicy = [...good, rule];
    const made = { agent: 'claude', cwd: home.cwd, permissionPolicy };
    for (const answer of [
      await daemon.request('POST', '/v1/sessions', made),
      await daemon.request('PATCH', `/v1/sessions/${session}`, { permissionPolicy }),
    ]) {
      expect([rule, answer.status]).toEqual([rule, 400]);
      expect(answer.body.detail).toMatch(/permissionPolicy[[.]1/);
    }
  }
  const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
  expect(body.permissionPolicy).toEqual(good);
});

test('a mode or a model that is none: refused by name, the session keeps what it has', async () => {
  const session = await daemon.session('claude', { model: 'model-one' });
  for (const [change, named] of [
    [{ mode: 'yolo' }, 'mode'],
    [{ mode: null }, 'mode'],
    [{ model: '' }, 'model'],
    [{ model: '--dangerously-skip-permissions' }, 'model'],
    [{ model: 'a\u0000b' }, 'model'],
    [{ model: 'x'.repeat(201) }, 'model'],
    [{ agentOptions: { effort: 'low' } }, 'agentOptions'],
  ] as const) {
    const { status, body } = await daemon.request('PATCH', `/v1/sessions/${session}`, change);
    expect([named, status]).toEqual([named, 400]);
    expect(body.detail).toContain(named);
  }
  const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
  expect([body.mode, body.model]).toEqual(['bypass', 'model-one']);
});

test('10,000 messages for a turn that runs: as many wait as may, the others are refused with the bound, and what waits runs', async () => {
  const { session, turn, open } = await busy('claude');
  const answers: Answer[] = [];
  for (let n = 0; n < 10_000; n += 100)
    answers.push(
      ...(await all(100, () =>
        daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say waited', whenBusy: 'queue' }),
      )),
    );
  expect(counted(answers)).toEqual({ 202: 100, '429 limit': 9_900 });
  expect(answers.find(({ status }) => status === 429)?.body.detail).toContain('100');
  const accepted = answers.filter(({ status }) => status === 202).map(({ body }) => String(body.id));
  open();
  await daemon.ending(session, turn);
  await daemon.ending(session, accepted.at(-1) ?? '');
  const events = await daemon.events(session);
  checkJournal(events);
  expect(accepted.map((one) => endings(events, one))).toEqual(accepted.map(() => ['turn.completed']));
}, 60_000);
