import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, textOf, type Event, FAKES } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** P8: what an agent asks is durable, offered to every client, has a deadline, and is answered once. */

let daemon: TestDaemon;

daemonForAll((made) => {
  ({ daemon } = made);
});

interface Asked {
  readonly session: string;
  readonly turn: string;
  readonly id: string;
  readonly event: Event;
}

/** A turn that asks, up to its question. */
async function asked(agent: string, input = 'ask', on: TestDaemon = daemon): Promise<Asked> {
  const session = await on.session(agent, { mode: 'default' });
  return again(session, input, on);
}

async function again(session: string, input = 'ask', on: TestDaemon = daemon): Promise<Asked> {
  const turn = await on.send(session, input);
  const events = await on.follow(
    session,
    (event) => event.type === 'permission.requested' && event.turn === turn,
  );
  const event = events.at(-1)!;
  return { session, turn, id: String(event.data['id']), event };
}

function answer(
  { session, id }: Pick<Asked, 'session' | 'id'>,
  body: Record<string, unknown>,
  on: TestDaemon = daemon,
): ReturnType<TestDaemon['request']> {
  return on.request('POST', `/v1/sessions/${session}/permissions/${id}`, body);
}

function open(session: string, on: TestDaemon = daemon): Promise<{ id: string }[]> {
  return on.request('GET', `/v1/sessions/${session}/permissions`).then(({ body }) => body.items);
}

for (const agent of ['claude', 'codex']) {
  describe.concurrent(agent, () => {
    test('a request is open until it is allowed, and the agent goes on', async () => {
      const request = await asked(agent);
      expect(await open(request.session)).toMatchObject([
        { id: request.id, turn: request.turn, kind: 'tool' },
      ]);
      const view = await daemon.request('GET', `/v1/sessions/${request.session}`);
      expect([view.body.state, view.body.openPermissions]).toEqual(['asking', 1]);
      const answered = await answer(request, { decision: 'allow' });
      expect([answered.status, answered.body.decision]).toEqual([200, 'allow']);
      const events = await daemon.ending(request.session, request.turn);
      expect(textOf(events, request.turn)).toContain('permission: allowed');
      expect(await open(request.session)).toEqual([]);
      checkJournal(events);
    });

    test('a denial reaches the agent, and the turn goes on', async () => {
      const request = await asked(agent);
      await answer(request, { decision: 'deny', message: 'not on a Monday' });
      const events = await daemon.ending(request.session, request.turn);
      expect(events.at(-1)?.type).toBe('turn.completed');
      expect(textOf(events, request.turn)).toContain('permission: denied');
      expect(events.find((event) => event.type === 'permission.resolved')?.data).toMatchObject({
        decision: 'deny',
        message: 'not on a Monday',
        by: { kind: 'client' },
      });
    });

    test('two clients answer: one is heard, the other is told who answered', async () => {
      const request = await asked(agent);
      const both = await Promise.all([
        answer(request, { decision: 'allow' }),
        answer(request, { decision: 'deny' }),
      ]);
      const [lost] = both.filter(({ status }) => status !== 200);
      expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 409]));
      expect(lost?.body).toMatchObject({ code: 'already_resolved', by: { kind: 'client' } });
      const events = await daemon.ending(request.session, request.turn);
      expect(events.filter((event) => event.type === 'permission.resolved')).toHaveLength(1);
      const late = await answer(request, { decision: 'deny' });
      expect([late.status, late.body.code]).toEqual([409, 'already_resolved']);
    });

    test('allowed for the session: the same is not asked again, something else is', async () => {
      const request = await asked(agent);
      await answer(request, { decision: 'allow_for_session' });
      await daemon.ending(request.session, request.turn);
      const second = await daemon.send(request.session, 'ask');
      const events = await daemon.ending(request.session, second);
      const resolved = events.filter(
        (event) => event.type === 'permission.resolved' && event.turn === second,
      );
      expect(resolved.map((event) => event.data)).toMatchObject([
        { decision: 'allow', by: { kind: 'policy' }, rule: 'allowed for this session' },
      ]);
    });

    test('a turn that is interrupted closes its requests; a late answer is told so', async () => {
      const request = await asked(agent);
      await daemon.request('POST', `/v1/sessions/${request.session}/interrupt`);
      const events = await daemon.ending(request.session, request.turn);
      expect(events.at(-1)?.type).toBe('turn.interrupted');
      expect(events.find((event) => event.type === 'permission.resolved')?.data).toMatchObject({
        decision: 'cancelled',
      });
      const late = await answer(request, { decision: 'allow' });
      expect([late.status, late.body.code]).toEqual([409, 'already_resolved']);
      const after = await daemon.turn(request.session, 'say still here');
      expect(after.type).toBe('turn.completed');
    });

    test('answers that no request takes are refused, and it stays open', async () => {
      const request = await asked(agent);
      for (const [body, status, code] of [
        [{ decision: 'maybe' }, 400, 'bad_request'],
        [{}, 400, 'bad_request'],
        [{ decision: 'allow', more: 1 }, 400, 'unknown_field'],
        [{ decision: 'allow', answers: { q: ['x'] } }, 400, 'bad_request'],
        [{ decision: 'allow', input: 'text' }, 400, 'bad_request'],
      ] as const) {
        const { status: had, body: problem } = await answer(request, body);
        expect([had, problem.code]).toEqual([status, code]);
      }
      const other = await daemon.session(agent);
      expect((await answer({ session: other, id: request.id }, { decision: 'allow' })).status).toBe(404);
      expect((await answer({ session: request.session, id: 'prm_none' }, { decision: 'allow' })).status).toBe(
        404,
      );
      expect(await open(request.session)).toHaveLength(1);
      await answer(request, { decision: 'deny' });
      await daemon.ending(request.session, request.turn);
    });
  });
}

test('claude: a person edits the input, and the agent uses the edited one', async () => {
  const request = await asked('claude');
  await answer(request, { decision: 'allow', input: { command: 'touch edited' } });
  const events = await daemon.ending(request.session, request.turn);
  expect(textOf(events, request.turn)).toContain('permission: allowed: touch edited');
});

test('claude: an edited input of another shape than an object is refused by name, and the request stays open', async () => {
  const request = await asked('claude');
  for (const input of ['touch edited', 5, ['touch', 'edited'], null]) {
    const { status, body } = await answer(request, { decision: 'allow', input });
    expect([status, body.code]).toEqual([400, 'bad_request']);
    expect(body.detail).toContain('input');
  }
  expect((await answer(request, { decision: 'allow' })).status).toBe(200);
});

test('codex: an edited input that it would not take is refused', async () => {
  const request = await asked('codex');
  const { status, body } = await answer(request, { decision: 'allow', input: { command: 'touch edited' } });
  expect([status, body.code]).toEqual([422, 'unsupported']);
  await answer(request, { decision: 'deny' });
  await daemon.ending(request.session, request.turn);
});

test('claude: a question with options is answered by its id', async () => {
  const request = await asked('claude', 'question');
  expect(request.event.data).toMatchObject({
    kind: 'question',
    questions: [{ id: 'Which color?', options: [{ label: 'Red' }, { label: 'Blue' }] }],
  });
  const wrong = await answer(request, { decision: 'allow', answers: { 'Which size?': ['L'] } });
  expect([wrong.status, wrong.body.code]).toEqual([400, 'bad_request']);
  await answer(request, { decision: 'allow', answers: { 'Which color?': ['Blue'] } });
  const events = await daemon.ending(request.session, request.turn);
  expect(textOf(events, request.turn)).toContain('answer: Blue');
});

test('nobody answers: denied at the deadline, in words that the agent reads', async () => {
  await using other = testHome({ config: `[permissions]\ntimeoutMs = 300\n${FAKES}` });
  const on = await TestDaemon.start(other);
  const request = await asked('claude', 'ask', on);
  const events = await on.ending(request.session, request.turn);
  expect(events.find((event) => event.type === 'permission.resolved')?.data).toMatchObject({
    decision: 'deny',
    by: { kind: 'deadline' },
  });
  expect(textOf(events, request.turn)).toMatch(/permission: denied: Nobody answered/);
  await on.stop();
});

for (const agent of ['claude', 'codex']) {
  test(`${agent}: a request outlives kill -9 of the daemon, with the same id, and its answer arrives`, async () => {
    await using other = testHome();
    const first = await TestDaemon.start(other);
    const request = await asked(agent, 'ask', first);
    await first.kill9();
    const next = await TestDaemon.takeOver(other);
    expect(await open(request.session, next)).toMatchObject([{ id: request.id }]);
    await answer(request, { decision: 'allow' }, next);
    const events = await next.ending(request.session, request.turn);
    expect(textOf(events, request.turn)).toContain('permission: allowed');
    expect(events.filter((event) => event.type === 'permission.requested')).toHaveLength(1);
    checkJournal(events);
    await next.stop();
  });
}

test('notify.command is told that an agent asks, and that its turn has ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pl-told-'));
  const told: string[] = [];
  const both = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      told.push(chunk.toString());
      if (told.length === 2) both.resolve();
    });
  });
  server.listen(join(folder, 's'));
  const tell = `require('net').connect('${join(folder, 's')}').end(process.env.PILOTLIGHT_SUMMARY)`;
  const command = JSON.stringify([process.execPath, '-e', tell]);
  await using other = testHome({ config: `[notify]\ncommand = ${command}\n${FAKES}` });
  const on = await TestDaemon.start(other);
  const request = await asked('claude', 'ask', on);
  await answer(request, { decision: 'deny' }, on);
  await on.ending(request.session, request.turn);
  await both.promise;
  expect(told.toSorted()).toEqual([
    expect.stringMatching(/^claude in .* asks for permission$/),
    expect.stringMatching(/^claude in .* is done$/),
  ]);
  await on.stop();
  server.close();
  rmSync(folder, { recursive: true });
});
