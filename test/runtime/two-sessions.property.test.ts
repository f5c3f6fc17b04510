import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Dialect } from '../../src/agents/dialect.ts';
import type { SessionEvent } from '../../src/protocol/index.ts';
import { Lifetime } from '../../src/runtime/lifetime.ts';
import { Session } from '../../src/session/session.ts';
import { newSessionState, persistedState, type SessionState } from '../../src/session/state.ts';
import { DEFAULT_WATCH_LIMITS } from '../../src/session/watch.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toy, toySettings, type ToyState } from '../support/toy.ts';
import { until } from '../support/until.ts';

/**
 * Two sessions whose agent is one process: their lines are mixed on one stdout, one offset serves both, and the daemon dies after any
 * transaction. Neither loses or repeats an event, whatever the other does.
 */

const RUNTIME = 'rt_both';
const IDS = ['ses_a', 'ses_b'] as const;

/** Lines carry the session in front: `ses_a d word`. */
const mixed: Dialect<{ readonly [id: string]: ToyState }> = {
  ...toy,
  greet: () => Promise.reject(new Error('it is there already')),
  translate(state, line, ids) {
    const at = line.indexOf(' ');
    const to = line.slice(0, at);
    const own = state[to];
    if (own === undefined) return { state, signals: [], writes: [] };
    const step = toy.translate(own, line.slice(at + 1), ids);
    return {
      ...step,
      state: { ...state, [to]: step.state },
      signals: step.signals.map((signal) => ({ ...signal, to })),
    };
  },
  accept(state, command, ids) {
    ids.next();
    const ref = command.kind === 'prompt' ? command.turn : command.kind === 'answer' ? command.request : '';
    return { state, signals: [], writes: [{ kind: command.kind, ref }] };
  },
  revive: (json) => {
    if (typeof json !== 'object' || json === null) throw new Error('no state');
    return Object.fromEntries(Object.entries(json).map(([id, own]) => [id, toy.revive(own)]));
  },
};

/** A process that is there already, and two sessions that believe in it. */
async function seed(journal: MemoryJournal): Promise<void> {
  const createdAt = '2026-01-01T00:00:00.000Z';
  await journal.commit((draft) => {
    for (const id of IDS) {
      const spec = {
        id,
        agent: 'toy',
        cwd: '/',
        mode: 'default' as const,
        agentOptions: {},
        metadata: {},
        env: [],
        credentials: [],
        createdAt,
      };
      const state: SessionState = {
        ...newSessionState(spec),
        runtime: { kind: 'ready', id: RUNTIME, pid: 1, startedAt: createdAt, startupMs: 1, turns: 0 },
      };
      draft.session({
        id,
        spec,
        state: persistedState(state),
        lastSeq: 0,
        closed: false,
        lastActivityAt: createdAt,
      });
    }
    const dialect = { ses_a: { block: 0, open: false }, ses_b: { block: 100, open: false } };
    draft.runtime({
      id: RUNTIME,
      agent: 'toy',
      sessions: IDS,
      phase: 'ready',
      startedAt: createdAt,
      kind: 'shared',
      offset: 0,
      lastWrite: 0,
      state: { v: 1, dialect, skipping: false, prompt: 0 },
      lines: 0,
      chunks: 0,
    });
  });
}

/** A daemon's part: both sessions revived, the process taken over, messages sent that were not yet. */
async function live(journal: MemoryJournal, keeper: MemoryKeeper): Promise<void> {
  const report = (error: unknown): void => {
    if (!journal.dead) throw error;
  };
  const sessions = new Map<string, Session>();
  for (const id of IDS) {
    const record = journal.session(id);
    if (record === undefined) throw new Error('no session');
    const state: SessionState = JSON.parse(JSON.stringify(record.state));
    const turn = state.turn.kind === 'none' ? undefined : journal.turn(state.turn.id);
    const ports = {
      committer: journal,
      limits: DEFAULT_WATCH_LIMITS,
      rules: { judge: () => undefined, maxQueued: 100, parked: () => false },
      report,
      start: () => {
        throw new Error('none is started here');
      },
    };
    sessions.set(id, new Session(state, ports, turn === undefined ? [] : [turn]));
  }
  const all = [...sessions.values()];
  const lifetime = new Lifetime({
    id: RUNTIME,
    sessions: all,
    byConversation: (conversation) => sessions.get(conversation),
    onGone: () => undefined,
    ports: {
      children: keeper.connect(() => !journal.dead),
      committer: journal,
      dialect: mixed,
      generation: journal.generation,
      bounds: { startTimeoutMs: 1000, stdinTimeoutMs: 1000, maxLine: 1 << 20 },
      input: () => 'hi',
      memory: async () => undefined,
      settings: async () => ({ settings: toySettings, binary: { path: 'toy' } }),
      report,
      place: () => undefined,
    },
  });
  for (const session of all) session.adopt(lifetime);
  const row = journal.runtimes()[0];
  if (row === undefined) throw new Error('no runtime');
  await lifetime.adopt(row, journal.outboxOf(RUNTIME));
  for (const session of all)
    if (session.state.turn.kind === 'none' && session.state.lastSeq === 0)
      session
        .submit({ kind: 'send', by: { kind: 'client' }, turn: `turn-${session.id}`, input: 'hi' })
        .catch(report);
}

interface Script {
  readonly words: readonly string[];
  /** Which session speaks next, while both have something to say. */
  readonly turns: readonly boolean[];
}

async function run(
  script: Script,
  crashes: readonly number[],
  cuts: readonly number[],
): Promise<{ events: readonly SessionEvent[]; received: readonly string[] }> {
  const said: Record<string, string[]> = {};
  let mixes = 0;
  const keeper = new MemoryKeeper((line, print) => {
    const id = /^p turn-(\w+)/.exec(line)?.[1];
    if (id === undefined) return;
    said[id] = [
      `r turn-${id}`,
      ...script.words.map((word) => `d ${word}`),
      `w ${script.words.join('')}`,
      'e',
    ].map((text) => `${id} ${text}\n`);
    const [a, b] = [said['ses_a'], said['ses_b']];
    if (a === undefined || b === undefined) return;
    while (a.length + b.length > 0) {
      const first = script.turns[mixes++ % script.turns.length] === true;
      print((first ? (a.shift() ?? b.shift()) : (b.shift() ?? a.shift())) ?? '');
    }
  }, cuts);
  keeper.hold(RUNTIME);
  let journal = new MemoryJournal();
  await seed(journal);
  const left = [...crashes];
  const arm = (): void => {
    journal.crashAfter = journal.commits + (left.shift() ?? Number.POSITIVE_INFINITY);
    journal.onCrash = () => keeper.cutOff();
  };
  arm();
  const over = (): boolean => journal.all.filter((event) => event.type === 'turn.completed').length === 2;
  for (;;) {
    const current = journal;
    void live(journal, keeper).catch((error: unknown) => {
      if (!current.dead) throw error;
    });
    await until(() => journal.dead || over());
    if (!journal.dead) return { events: journal.all, received: keeper.received };
    journal = journal.reopen();
    arm();
  }
}

function shape(events: readonly SessionEvent[], session: string): string[] {
  const out: string[] = [];
  let deltas = '';
  for (const event of events.filter((one) => one.session === session)) {
    if (event.type === 'message.delta') {
      deltas += event.data.text;
      continue;
    }
    if (deltas !== '') out.push(`delta ${deltas}`);
    deltas = '';
    out.push(event.type === 'message.completed' ? `whole ${event.data.text}` : event.type);
  }
  return out;
}

test('two sessions on one stdout: a crash after any transaction costs neither an event, and repeats none', async () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 8 });
  const script = fc.record({ words, turns: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }) });
  const crashes = fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 4 });
  const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 5 });
  let crashed = 0;
  await fc.assert(
    fc.asyncProperty(script, crashes, cuts, async (told, kills, sizes) => {
      crashed += kills.length;
      const { events, received } = await run(told, kills, sizes);
      const expected = [
        'turn.queued',
        'turn.started',
        `delta ${told.words.join('')}`,
        `whole ${told.words.join('')}`,
        'turn.completed',
      ];
      for (const id of IDS) {
        expect(shape(events, id)).toEqual(expected);
        const own = events.filter((event) => event.session === id);
        expect(own.map((event) => event.seq)).toEqual(own.map((_, index) => index + 1));
      }
      expect(received.filter((line) => line.startsWith('p '))).toHaveLength(2);
    }),
    { numRuns: 150 },
  );
  expect(crashed).toBeGreaterThan(50);
});
