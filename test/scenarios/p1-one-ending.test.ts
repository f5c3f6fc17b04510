import { describe, expect, test } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { checkJournal, isEnding, type Event, FAKES } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';
import { identityOf, isAlive } from '../support/processes.ts';

/**
 * P1: every accepted turn ends in exactly one terminal event, under each fault that an agent is known to have.
 * And after it the session takes the next message (another process where the first one is gone).
 */
const CONFIG = `
[runtime]
echoTimeoutMs = 1500
firstTurnTimeoutMs = 1500
inactivityTimeoutMs = 1000
interruptTimeoutMs = 700
stdinTimeoutMs = 1500
[ladder]
termAfterMs = 200
killAfterMs = 200
[wire]
maxLineMb = 1
${FAKES}`;

let daemon: TestDaemon;

daemonForAll(
  (made) => {
    ({ daemon } = made);
  },
  () => ({ config: CONFIG }),
);

/** Fault → the ending that it must lead to, whichever agent has it: `completed`, or the code of a failure. */
const FAULTS: Readonly<Record<string, string>> = {
  'die@4': 'runtime_exited',
  'half@4': 'runtime_exited',
  'kill-self@4': 'runtime_exited',
  'hang@5': 'inactivity_timeout',
  'hang-soft@5': 'inactivity_timeout',
  'no-result': 'inactivity_timeout',
  'late-receipt': 'completed',
  'second-result': 'completed',
  'repeated-tool-ids': 'completed',
  'repeated-message-ids': 'completed',
  'retry-stream': 'completed',
  fallback: 'completed',
  garbage: 'completed',
  'invalid-utf8': 'completed',
  'unknown-types': 'completed',
  woke: 'completed',
  'huge-line:3': 'completed',
  'huge-no-newline:3': 'inactivity_timeout',
  'exit-clean@4': 'runtime_exited',
  'close-stdout@5': 'inactivity_timeout',
  'torn-lines:5': 'completed',
  crlf: 'completed',
  'stderr-flood:4': 'completed',
  'open-tools': 'completed',
  'empty-result': 'completed',
  'bare-result': 'completed',
  'no-opening': 'completed',
};
const AGENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // It may be an older one, which names no messages.
  claude: { ...FAULTS, 'no-receipt': 'completed', 'new-session': 'completed' },
  // Which of its turns is ours is not known without one.
  codex: { ...FAULTS, 'no-receipt': 'inactivity_timeout', overloaded: 'agent_error' },
};

/** Behind whatever turn the agent may have begun by itself meanwhile. */
async function nextTurn(session: string): Promise<Event | undefined> {
  const message = { input: 'say hello again', whenBusy: 'queue' };
  const { body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, message);
  return (await daemon.ending(session, body.id)).at(-1);
}

for (const [agent, faults] of Object.entries(AGENTS)) {
  describe.concurrent(agent, () => {
    for (const [fault, expected] of Object.entries(faults)) {
      test(`${fault}: one ending, ${expected}; and the next message is answered`, async () => {
        // A fault of the process is a fault of all who share it: each has its own.
        const session = await daemon.session(agent, { domain: fault });
        const turn = await daemon.send(
          session,
          `${fault}\nsay before the fault and a few words more then tool Bash then say after`,
        );
        const events = await daemon.ending(session, turn);
        const ending = events.at(-1);
        if (expected === 'completed')
          expect(ending?.type, JSON.stringify(ending?.data)).toBe('turn.completed');
        else expect([ending?.type, ending?.data['code']]).toEqual(['turn.failed', expected]);
        const next = await nextTurn(session);
        expect(next?.type, JSON.stringify(next?.data)).toBe('turn.completed');
        expect(next?.data['text']).toContain('hello again');
        await daemon.request('DELETE', `/v1/sessions/${session}`);
        checkJournal(await daemon.events(session));
      });
    }
  });
}

describe.each(['claude', 'codex'])('%s', (agent) => {
  test('ends at its start: the turn fails with its stderr, and nothing of the message was seen', async () => {
    const session = await daemon.session(agent, { env: { FAKE_FAULT: 'stderr-then-exit' } });
    const ending = await daemon.turn(session, 'say x');
    expect(ending.data).toMatchObject({
      code: 'spawn_failed',
      effects: 'none',
      stderrTail: expect.stringMatching(/\S/),
    });
    checkJournal(await daemon.events(session));
  });

  test('hangs behind its result: the next message fails as not taken in, and the one after it is answered', async () => {
    const session = await daemon.session(agent);
    expect((await daemon.turn(session, 'result-then-hang\nsay done')).type).toBe('turn.completed');
    expect((await daemon.turn(session, 'say into the void')).data).toMatchObject({
      code: 'echo_timeout',
      effects: 'possible',
    });
    expect((await daemon.turn(session, 'say back again')).data['text']).toContain('back again');
    checkJournal(await daemon.events(session));
  });

  test('exits behind its result: the turn is completed, and the next process answers the next message', async () => {
    const session = await daemon.session(agent);
    const turn = await daemon.send(session, 'result-then-exit\nsay done');
    const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
    expect(events.find((event) => event.turn === turn && isEnding(event))?.data['text']).toBe('done');
    expect((await daemon.turn(session, 'say back again')).data['text']).toContain('back again');
    checkJournal(await daemon.events(session));
  });

  test('closing a session ends its running turn and its process', async () => {
    const session = await daemon.session(agent);
    const turn = await daemon.send(session, 'tool-hang');
    await daemon.follow(session, (event) => event.type === 'tool.started');
    await daemon.request('DELETE', `/v1/sessions/${session}`);
    const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
    const endings = events.filter((event) => event.turn === turn && isEnding(event));
    expect(endings.map((event) => event.type)).toEqual(['turn.interrupted']);
    checkJournal(await daemon.events(session));
  });

  test('an interrupt ends the turn and the next message is answered by the same process', async () => {
    const session = await daemon.session(agent);
    const turn = await daemon.send(session, 'tool-hang');
    await daemon.follow(session, (event) => event.type === 'tool.started');
    expect((await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {})).status).toBe(202);
    expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.interrupted');
    expect((await daemon.turn(session, 'say on')).data['text']).toContain('on');
    const starts = (await daemon.events(session)).filter((event) => event.type === 'runtime.started');
    expect(starts).toHaveLength(1);
  });

  test.each(['ignore-eof', 'eof-late', 'ignore-sigterm', 'ignore-eof,ignore-sigterm'])(
    '%s: closed in mid-turn, the turn ends once and its process is gone',
    async (fault) => {
      const session = await daemon.session(agent, { env: { FAKE_FAULT: fault } });
      const turn = await daemon.send(session, 'tool-hang');
      const events = await daemon.follow(session, (event) => event.type === 'tool.started');
      const pid = Number(events.find((event) => event.type === 'runtime.started')?.data['pid']);
      const identity = identityOf(pid);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
      const all = await daemon.follow(session, (event) => event.type === 'runtime.ended');
      expect(all.filter((event) => event.turn === turn && isEnding(event))).toHaveLength(1);
      expect(identity !== undefined && isAlive(identity)).toBe(false);
      checkJournal(all);
    },
  );

  test('hears no interrupt: the turn ends all the same, once, with its process, and the next message is answered', async () => {
    const session = await daemon.session(agent, { domain: 'deaf' });
    const turn = await daemon.send(session, 'hang\nthink then say a few words and many more of them');
    // What it thinks is the last that it tells: an interrupt that came before would be heard.
    await daemon.follow(session, (event) => event.turn === turn && event.type === 'reasoning.delta');
    expect((await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {})).status).toBe(202);
    const events = await daemon.ending(session, turn);
    expect(events.filter((event) => event.turn === turn && isEnding(event))).toHaveLength(1);
    expect((await daemon.turn(session, 'say back again')).data['text']).toContain('back again');
    checkJournal(await daemon.events(session));
  });

  test('stops to read what it is told: the message that does not get in fails as that, and the next one is answered', async () => {
    const session = await daemon.session(agent, { domain: 'full' });
    expect((await daemon.turn(session, 'stop-reading-stdin\nsay the last that I heard')).type).toBe(
      'turn.completed',
    );
    // More than a pipe holds.
    const ending = await daemon.turn(session, `say into the pipe\n${'x'.repeat(2_000_000)}`);
    expect([ending.type, ending.data['code']]).toEqual(['turn.failed', 'stdin_timeout']);
    expect((await daemon.turn(session, 'say back again')).data['text']).toContain('back again');
    checkJournal(await daemon.events(session));
  });

  test('dies while a process of its own holds its stdout: the turn ends, what it left is gone, and the next message is answered', async () => {
    const session = await daemon.session(agent, { domain: 'holder' });
    const held = await daemon.turn(session, 'grandchild-holds-stdout');
    const child = identityOf(Number(/child (\d+)/.exec(String(held.data['text']))?.[1]));
    expect(child).toBeDefined();
    const ending = await daemon.turn(session, 'die@4\nsay not much then tool Bash then say after');
    expect([ending.type, ending.data['code']]).toEqual(['turn.failed', 'runtime_exited']);
    expect(child !== undefined && isAlive(child)).toBe(false);
    expect((await daemon.turn(session, 'say back again')).data['text']).toContain('back again');
    checkJournal(await daemon.events(session));
  });
});
