/**
 * The toy agent as a process of several sessions. Lines are the toy's with the seat in front (`rt_1 d word`), those without one are about the process; besides
 * `SEAT joined CONVERSATION`, `SEAT failed WORDS`, `SEAT left`. Seats come in as `j SEAT`, go as `l SEAT`, prompts are `p SEAT TURN`.
 */
import type { Json, RequestIds, SharedDialect, SharedStep, Told } from '../../src/agents/dialect.ts';
import type { Ownership } from '../../src/runtime/ports.ts';
import type { SeatPorts } from '../../src/runtime/seat-wishes.ts';
import { SharedLifetime } from '../../src/runtime/shared.ts';
import type { Brain } from './memory-keeper.ts';
import { toy, toySettings, type ToyProcesses, type ToySharing, type ToyState } from './toy.ts';

interface SeatState extends ToyState {
  readonly leaving?: true;
}
type SharedToyState = Readonly<Record<string, SeatState>>;

export const sharedToy: SharedDialect<SharedToyState> = {
  ...toy,
  greet: async (channel) => {
    channel.send('hello');
    await channel.receive((line) => (line === 'ready' ? true : undefined));
    return { state: {}, resumed: false, signals: [] };
  },
  translate(state, line, ids) {
    const [seat = '', word = '', ...rest] = line.split(' ');
    const own = state[seat];
    if (own === undefined) return processLine(state, line, ids);
    const { [seat]: _, ...others } = state;
    const told = (signal: Told, next: SharedToyState): SharedStep<SharedToyState> => ({
      state: next,
      signals: [{ ...signal, to: seat }],
      writes: [],
      about: seat,
    });
    if (word === 'joined')
      return told({ kind: 'joined', conversation: rest.join(' '), resumed: false }, state);
    if (word === 'failed')
      return told({ kind: 'join-failed', code: 'spawn_failed', message: rest.join(' ') }, others);
    if (word === 'left') return told({ kind: 'left' }, others);
    const step = toy.translate(own, [word, ...rest].join(' '), ids);
    const signals = step.signals.map((signal) => ({ ...signal, to: seat }));
    return { ...step, state: { ...state, [seat]: { ...own, ...step.state } }, signals, about: seat };
  },
  join: (state, { seat }) => ({
    state: { ...state, [seat]: { block: 0, open: false } },
    signals: [],
    writes: [{ kind: 'join', ref: seat }],
  }),
  leave(state, seat) {
    const own = state[seat];
    if (own === undefined) return { state, signals: [{ kind: 'left', to: seat }], writes: [] };
    if (own.leaving === true) return { state, signals: [], writes: [] };
    return {
      state: { ...state, [seat]: { ...own, leaving: true } },
      signals: [],
      writes: [{ kind: 'leave', ref: seat }],
    };
  },
  accept(state, { seat, command }, ids) {
    const own = state[seat];
    if (own === undefined) return { state, signals: [], writes: [] };
    const step = toy.accept(own, command, ids);
    const writes = step.writes.map(({ kind, ref }) => ({ kind, ref: `${seat} ${named(ref)}` }));
    return { ...step, state: { ...state, [seat]: { ...own, ...step.state } }, writes };
  },
  take: (state, { from, to }) =>
    silent(Object.entries(state).map(([seat, own]) => [seat === from ? to : seat, own])),
  forsake: (state, seat) => silent(Object.entries(state).filter(([one]) => one !== seat)),
  render: (write, context) =>
    write.kind === 'join' || write.kind === 'leave'
      ? `${write.kind.charAt(0)} ${named(write.ref)}`
      : toy.render(write, context),
  revive: (json) => {
    if (typeof json !== 'object' || json === null) throw new Error('not a state of the shared toy');
    return Object.fromEntries(
      Object.entries(json).map(([seat, own]) => [
        seat,
        { ...toy.revive(own), ...(isLeaving(own) ? { leaving: true } : {}) },
      ]),
    );
  },
};

function silent(seats: readonly (readonly [string, SeatState])[]): SharedStep<SharedToyState> {
  return { state: Object.fromEntries(seats), signals: [], writes: [] };
}

function processLine(state: SharedToyState, line: string, ids: RequestIds): SharedStep<SharedToyState> {
  return { ...toy.translate({ block: 0, open: false }, line, ids), state };
}

function isLeaving(own: Json): boolean {
  return typeof own === 'object' && own !== null && 'leaving' in own;
}

function named(ref: Json): string {
  return typeof ref === 'string' ? ref : '';
}

/** Opens and closes what it is asked to; a turn says `words`. As a process for one message it is the toy. */
export function sharedToyBrain(words: readonly string[]): Brain {
  return (line, print) => {
    const [word, seat = '', turn] = line.split(' ');
    if (word === 'hello') print('ready\n');
    if (word === 'j') print(`${seat} joined of-${seat}\n`);
    if (word === 'l') print(`${seat} left\n`);
    if (word !== 'p') return;
    const front = turn === undefined ? '' : `${seat} `;
    const said = [`r ${turn ?? seat}`, ...words.map((one) => `d ${one}`), `w ${words.join('')}`, 'e'];
    print(said.map((one) => `${front}${one}\n`).join(''));
  };
}

export interface ToySharingOptions {
  readonly dialect?: SharedDialect<unknown>;
  readonly threadTimeoutMs?: number;
  /** What a session brings; undefined: nothing of its own. */
  readonly member?: (
    session: string,
    why: 'start' | 'takeover',
  ) => Promise<Awaited<ReturnType<SeatPorts['settings']>> | undefined>;
  readonly ownership?: (session: string) => Ownership;
  /** Awaited before the settings of a process are had. */
  readonly settled?: (why: 'start' | 'takeover') => Promise<void>;
  /** What seats have brought, by process, over daemons. */
  readonly kept?: Map<string, readonly string[]>;
  /** Sessions that have left a process which goes on. */
  readonly leftBehind?: (session: string) => void;
}

/** Sessions with the same label share a process. */
export function sharedBy(options: ToySharingOptions = {}): (at: ToyProcesses) => ToySharing {
  return ({ journal, children, report }) => ({
    domainOf: ({ domain }) => domain ?? 'all',
    share: (rest) =>
      new SharedLifetime({
        ...rest,
        ports: {
          children,
          committer: journal,
          dialect: options.dialect ?? sharedToy,
          generation: journal.generation,
          bounds: { startTimeoutMs: 1000, stdinTimeoutMs: 1000, maxLine: 1 << 20 },
          threadTimeoutMs: options.threadTimeoutMs ?? 1000,
          input: (turn) => journal.turn(turn)?.input ?? '',
          memory: async () => undefined,
          process: async () => {
            await options.settled?.(rest.from === undefined ? 'start' : 'takeover');
            return { settings: toySettings, binary: { path: 'toy' } };
          },
          member: (session) => ({
            settings: async (why) => (await options.member?.(session, why)) ?? { settings: toySettings },
            ...(options.ownership === undefined ? {} : { ownership: options.ownership(session) }),
          }),
          keepSecrets: (secrets) => options.kept?.set(rest.id, secrets),
          secretsIn: () => options.kept?.get(rest.id) ?? [],
          leftBehind: (session) => options.leftBehind?.(session),
          leftByOthers: () => undefined,
          place: () => undefined,
          report,
        },
      }),
  });
}
