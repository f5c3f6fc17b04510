/**
 * A toy agent and its dialect: just enough protocol to prove what every dialect relies on. Lines: `r TURN` receipt, `d TEXT` delta,
 * `w TEXT` whole message, `a ID` asks, `e` end of the turn. Prompts go in as `p TURN`, interrupts as `i`, answers as `n ID`.
 */
import type { AgentSettings, Dialect } from '../../src/agents/dialect.ts';
import type { ChildHost } from '../../src/process/ports.ts';
import { SessionHost, type RuntimeFactory } from '../../src/host/index.ts';
import { createSecretStore } from '../../src/host/secrets.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../../src/pool/index.ts';
import { Lifetime } from '../../src/runtime/lifetime.ts';
import type { AgentSignal, SessionSpec } from '../../src/session/ports.ts';
import type { SessionRules } from '../../src/session/session.ts';
import { DEFAULT_WATCH_LIMITS, type WatchLimits } from '../../src/session/watch.ts';
import type { MemoryJournal } from './memory-journal.ts';
import type { MemoryKeeper } from './memory-keeper.ts';

export interface ToyState {
  readonly block: number;
  readonly open: boolean;
}

export const toy: Dialect<ToyState> = {
  agent: 'toy',
  conversations: { at: () => '/toy' },
  checkOptions: () => undefined,
  plan: () => ({ file: 'toy', args: [], env: {}, goodbye: '' }),
  async greet(channel) {
    channel.send('hello');
    await channel.receive((line) => (line === 'ready' ? true : undefined));
    return { state: { block: 0, open: false }, resumed: false, signals: [], agentSessionId: 'toy-1' };
  },
  translate(state, line) {
    const [word = '', ...rest] = line.split(' ');
    const text = rest.join(' ');
    const block = `b${String(state.block)}`;
    const one = (signal: AgentSignal, next = state): ReturnType<Dialect<ToyState>['translate']> => ({
      state: next,
      signals: [signal],
      writes: [],
    });
    switch (word) {
      case 'r':
        return one({ kind: 'receipt', turn: text }, { ...state, open: true });
      case 'd':
        return one({ kind: 'text', block, text });
      case 'w':
        return one({ kind: 'text-done', block, text }, { ...state, block: state.block + 1 });
      case 'a':
        return one({ kind: 'ask', ask: { request: text, kind: 'tool' } });
      case 'e':
        return one(
          { kind: 'ended', outcome: { kind: 'completed', stopReason: 'end_turn' }, costs: {} },
          { ...state, open: false },
        );
      case 'c':
        return one({ kind: 'ended', outcome: { kind: 'interrupted' }, costs: {} }, { ...state, open: false });
      default:
        return one({ kind: 'notice', level: 'info', code: 'not_json', message: line });
    }
  },
  accept(state, command, ids) {
    if (command.kind === 'interrupt' && !state.open) return { state, signals: [], writes: [] };
    ids.next();
    const ref = command.kind === 'prompt' ? command.turn : command.kind === 'answer' ? command.request : '';
    const open = command.kind === 'prompt' ? true : state.open;
    return { state: { ...state, open }, signals: [], writes: [{ kind: command.kind, ref }] };
  },
  render: (write) =>
    `${write.kind === 'prompt' ? 'p' : write.kind === 'interrupt' ? 'i' : 'n'} ${typeof write.ref === 'string' ? write.ref : ''}`,
  revive(json) {
    if (typeof json !== 'object' || json === null || !('block' in json)) throw new Error('not a toy state');
    return { block: Number(json['block']), open: json['open'] === true };
  },
};

/** What the toy agent prints for each line it is given. */
export function toyBrain(words: readonly string[]): (line: string, print: (text: string) => void) => void {
  return (line, print) => {
    if (line === 'hello') print('ready\n');
    if (line.startsWith('n ')) print(`d answered ${line.slice(2)}\nw said ${line.slice(2)}\ne\n`);
    if (!line.startsWith('p ')) return;
    const turn = line.slice(2);
    print(`r ${turn}\n${words.map((word) => `d ${word}\n`).join('')}w ${words.join('')}\na q1\n`);
  };
}

export const toySettings: AgentSettings = {
  session: 's',
  cwd: '/',
  mode: 'default',
  freshId: 'f',
  agentOptions: {},
  env: {},
  limits: { inactivityTimeoutMs: 1000, requestTimeoutMs: 1000, threadTimeoutMs: 1000 },
};

export interface ToyHostOptions {
  /** Sessions for which it is the same open their conversations alike; absent: none is opened ahead. */
  readonly conversation?: (spec: SessionSpec) => string | undefined;
  /** Awaited before settings are had. */
  readonly settled?: () => Promise<void>;
  readonly limits?: Partial<WatchLimits>;
  readonly pool?: Partial<PoolLimits>;
  /** Default: what is asked is denied. */
  readonly judge?: SessionRules['judge'];
  readonly dialect?: Dialect<unknown>;
  /** Changes what the keeper is to this daemon. */
  readonly children?: (children: ChildHost) => ChildHost;
  readonly report?: (error: unknown) => void;
  /** Sessions share processes: see `sharedBy` in toy-shared.ts. */
  readonly sharing?: (at: ToyProcesses) => ToySharing;
}

export interface ToyProcesses {
  readonly journal: MemoryJournal;
  readonly children: ChildHost;
  readonly report: (error: unknown) => void;
}

export type ToySharing = Pick<RuntimeFactory, 'domainOf' | 'share'>;

/** A daemon's host on a journal and a keeper in memory. */
export async function toyHost(
  journal: MemoryJournal,
  keeper: MemoryKeeper,
  options: ToyHostOptions = {},
): Promise<SessionHost> {
  const connected = keeper.connect(() => !journal.dead);
  const children = options.children?.(connected) ?? connected;
  const report =
    options.report ??
    ((error: unknown): void => {
      if (!journal.dead) throw error;
    });
  const agent = { id: 'toy', kind: 'toy', available: true };
  const sharing = options.sharing?.({ journal, children, report }) ?? {};
  const host = new SessionHost({
    journal,
    agents: { find: async () => agent, list: async () => [agent], checkOptions: () => undefined },
    secrets: createSecretStore({ persist: false }),
    credentials: { expired: () => false, handOver: () => undefined },
    keyOf: async ({ spec }) => {
      const domain = sharing.domainOf?.(spec);
      if (domain === undefined) return { key: spec.agent, stamp: '' };
      const conversation = options.conversation?.(spec);
      return { key: domain, domain, stamp: '', ...(conversation === undefined ? {} : { conversation }) };
    },
    mostSessions: 1000,
    roots: [],
    closed: [],
    look: async () => ({ trusted: false, leftOut: [] }),
    refuseInUse: () => undefined,
    limits: { ...DEFAULT_WATCH_LIMITS, ...options.limits },
    judge: options.judge ?? (() => ({ decision: 'deny', rule: 'nobody is asked here' })),
    maxQueued: 100,
    pool: { ...DEFAULT_POOL_LIMITS, ...options.pool },
    endUnclaimed: () => undefined,
    describe: () => Promise.reject(new Error('not here')),
    report,
    runtimes: {
      ...sharing,
      create: ({ id, session, slot, onGone, onMeasured }) =>
        new Lifetime({
          id,
          sessions: session === undefined ? [] : [session],
          ...(slot === undefined ? {} : { slot }),
          onGone,
          onMeasured,
          ports: {
            children,
            committer: journal,
            dialect: options.dialect ?? toy,
            generation: journal.generation,
            bounds: { startTimeoutMs: 1000, stdinTimeoutMs: 1000, maxLine: 1 << 20 },
            input: (turn) => journal.turn(turn)?.input ?? '',
            memory: async () => undefined,
            settings: async () => {
              await options.settled?.();
              return { settings: toySettings, binary: { path: 'toy' } };
            },
            report,
            place: () => undefined,
          },
        }),
    },
  });
  await host.recover();
  return host;
}
