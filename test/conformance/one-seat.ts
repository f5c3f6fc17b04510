/**
 * One seat of a process that several sessions share, as if it were a process of its own: so that the suite holds for that kind of runtime too. Beside it sits a
 * neighbour whose turn streams all the time: whatever a case does, nothing of it may reach the neighbour, and nothing of the neighbour may reach the case.
 */
import type {
  AgentSettings,
  Dialect,
  HandshakeChannel,
  RenderContext,
  RequestIds,
  SharedDialect,
  SharedStep,
  Step,
  Told,
} from '../../src/agents/dialect.ts';
import { PilotlightError } from '../../src/protocol/index.ts';

const MINE = 'seat_mine';
const NEIGHBOUR = 'seat_neighbour';
const ITS_TURN = 'trn_neighbour';

/** `busy`: a message whose answer goes on for longer than any case. */
export function oneSeatOf<S>(shared: SharedDialect<S>, busy: string): Dialect<S> {
  const contextOf = (context: RenderContext): RenderContext => ({
    ...context,
    input: (turn) => (turn === ITS_TURN ? busy : context.input(turn)),
    seat: (seat) => (seat === MINE ? context.settings : beside(context.settings)),
  });
  const { agent, conversations } = shared;
  return {
    agent,
    conversations,
    checkOptions: (options) => shared.checkOptions(options),
    plan: (binary, settings) => shared.plan(binary, settings),
    revive: (state) => shared.revive(state),
    async greet(channel, settings) {
      const { state, ...greeted } = await shared.greet(channel, settings);
      const context = contextOf({ settings, input: () => '' });
      const table = new Table(shared, { state, channel, context });
      await table.seat(NEIGHBOUR, beside(settings));
      const joined = await table.seat(MINE, settings);
      table.take((now, ids) =>
        shared.accept(now, { seat: NEIGHBOUR, command: { kind: 'prompt', turn: ITS_TURN } }, ids),
      );
      return {
        ...greeted,
        state: table.state,
        agentSessionId: joined.conversation,
        resumed: joined.resumed,
        signals: mineOf([...greeted.signals, ...table.told]),
      };
    },
    translate: (state, line, ids) => stepOf(shared.translate(state, line, ids)),
    accept: (state, command, ids) => stepOf(shared.accept(state, { seat: MINE, command }, ids)),
    render: (write, context) => shared.render(write, contextOf(context)),
  };
}

/** Somebody else, in the same place. */
function beside({ resume: _resume, ...settings }: AgentSettings): AgentSettings {
  return { ...settings, mode: 'bypass', agentOptions: {} };
}

/** The process while its seats are taken: what a runtime does between the row and the first prompt. */
class Table<S> {
  readonly told: Told[] = [];
  state: S;
  readonly #shared: SharedDialect<S>;
  readonly #channel: HandshakeChannel;
  readonly #context: RenderContext;
  #ids = 0;

  constructor(
    shared: SharedDialect<S>,
    at: { readonly state: S; readonly channel: HandshakeChannel; readonly context: RenderContext },
  ) {
    this.#shared = shared;
    this.state = at.state;
    this.#channel = at.channel;
    this.#context = at.context;
  }

  take(make: (state: S, ids: RequestIds) => SharedStep<S>): void {
    // Far from those of the runtime.
    const step = make(this.state, { next: () => 900_000 + (this.#ids += 1) });
    this.state = step.state;
    this.told.push(...step.signals);
    for (const write of step.writes) this.#channel.send(this.#shared.render(write, this.#context));
  }

  async seat(seat: string, settings: AgentSettings): Promise<Extract<Told, { kind: 'joined' }>> {
    this.take((state, ids) => this.#shared.join(state, { seat, settings }, ids));
    for (;;) {
      const said = this.told.find(
        (one) => one.to === seat && (one.kind === 'joined' || one.kind === 'join-failed'),
      );
      if (said?.kind === 'joined') return said;
      if (said?.kind === 'join-failed')
        throw new PilotlightError('spawn_failed', said.message, { detail: { code: said.code } });
      const line = await this.#channel.receive((one) => one);
      this.take((state, ids) => this.#shared.translate(state, line, ids));
    }
  }
}

function stepOf<S>({ about: _about, ...step }: SharedStep<S>): Step<S> {
  for (const { kind, to } of step.signals)
    if (to === NEIGHBOUR && ENDS.has(kind)) throw new Error(`the neighbour was told ${kind}`);
  return { ...step, signals: mineOf(step.signals) };
}

/** What is never to become of a turn that streams. */
const ENDS: ReadonlySet<string> = new Set(['ended', 'interrupt-acknowledged', 'asked', 'settings', 'left']);

function mineOf(told: readonly Told[]): Step<unknown>['signals'] {
  return told.flatMap((one) => {
    if (one.to !== undefined && one.to !== MINE) return [];
    if (one.kind === 'joined' || one.kind === 'join-failed' || one.kind === 'left') return [];
    const { to: _, ...signal } = one;
    return [signal];
  });
}
