import { describe, expect, test } from 'vitest';
import { C1, THREAD, TURN } from '../../../../test/support/driven-codex.ts';
import type { AgentSettings, OutgoingWrite, SharedStep, Told } from '../../dialect.ts';
import { sharedCodex, type SharedState } from './index.ts';

const SETTINGS: AgentSettings = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'default',
  freshId: '01a20220-0000-7000-8000-000000000000',
  agentOptions: {},
  env: {},
  limits: { inactivityTimeoutMs: 1000, requestTimeoutMs: 1000, threadTimeoutMs: 1000 },
};
const OTHER = '01a20220-a2c2-7df1-99b0-971031a95221';

/** A shared Codex, driven line by line; the state is read back from JSON at every step, as a takeover would. */
class Driven {
  state: SharedState = { v: 1, members: [] };
  signals: Told[] = [];
  writes: OutgoingWrite[] = [];
  readonly #ids: number[] = [];
  #n = 0;

  take(make: (state: SharedState, ids: { next(): number }) => SharedStep<SharedState>): this {
    const step = make(sharedCodex.revive(JSON.parse(JSON.stringify(this.state))), {
      next: () => (this.#n += 1),
    });
    this.state = step.state;
    this.signals.push(...step.signals);
    this.writes.push(...step.writes);
    for (const { ref } of step.writes)
      if (typeof ref === 'object' && ref !== null && 'id' in ref) this.#ids.push(Number(ref['id']));
    return this;
  }

  join(seat: string, resume?: string): this {
    const settings = resume === undefined ? SETTINGS : { ...SETTINGS, resume };
    return this.take((state, ids) => sharedCodex.join(state, { seat, settings }, ids));
  }

  leave(seat: string): this {
    return this.take((state, ids) => sharedCodex.leave(state, seat, ids));
  }

  forsake(seat: string): this {
    return this.take((state) => sharedCodex.forsake(state, seat));
  }

  prompt(seat: string, turn = TURN): this {
    return this.take((state, ids) =>
      sharedCodex.accept(state, { seat, command: { kind: 'prompt', turn } }, ids),
    );
  }

  line(line: object | string): this {
    const text = typeof line === 'string' ? line : JSON.stringify(line);
    return this.take((state, ids) => sharedCodex.translate(state, text, ids));
  }

  /** The id of the last request. */
  get last(): number {
    return this.#ids.at(-1) ?? 0;
  }

  answered(result: object, id = this.last): this {
    return this.line({ id, result });
  }

  opened(thread: string, id = this.last): this {
    return this.answered({ thread: { id: thread }, model: 'gpt-5.5' }, id);
  }

  /** From nothing to an open conversation. */
  seated(seat: string, thread: string): this {
    return this.join(seat).answered({ config: {} }).opened(thread);
  }

  of(seat: string): Told[] {
    return this.signals.filter((one) => one.to === seat);
  }

  asked(kind: string): OutgoingWrite[] {
    return this.writes.filter((write) => write.kind === kind);
  }
}

describe('what comes too late for one seat harms no other', () => {
  test('a conversation that opens twice, the first time too late, stays open for who has it now', () => {
    const codex = new Driven().seated('neighbour', OTHER);
    codex.join('first', THREAD).answered({ config: {} });
    const first = codex.last;
    codex.forsake('first').join('again', THREAD).answered({ config: {} });
    const again = codex.last;
    codex.opened(THREAD, first).opened(THREAD, again);
    expect(codex.of('again')).toMatchObject([{ kind: 'joined', conversation: THREAD }]);
    expect(codex.asked('thread/unsubscribe')).toEqual([]);
    expect(codex.state.members.map(({ seat, phase }) => `${seat} ${phase}`)).toEqual([
      'neighbour open',
      'again open',
    ]);
  });

  test('nor does it when who has it now was first', () => {
    const codex = new Driven().seated('neighbour', OTHER);
    codex.join('first', THREAD).answered({ config: {} });
    const first = codex.last;
    codex.forsake('first').join('again', THREAD).answered({ config: {} }).opened(THREAD);
    codex.opened(THREAD, first);
    expect(codex.asked('thread/unsubscribe')).toEqual([]);
    expect(codex.of('first')).toEqual([]);
  });

  test('a late answer that nobody waits for is closed when nobody else has the conversation', () => {
    const codex = new Driven().join('first', THREAD).answered({ config: {} });
    codex.forsake('first').opened(THREAD);
    expect(codex.asked('thread/unsubscribe')).toHaveLength(1);
    codex.line({ method: 'thread/closed', params: { threadId: THREAD } });
    expect(codex.state.members).toEqual([]);
    expect(codex.of('first')).toEqual([]);
  });

  test('a turn that ends after its seat was given up does not close the conversation of the seat that has it now', () => {
    const codex = new Driven().seated('first', THREAD).prompt('first');
    codex.answered({ turn: { id: C1, status: 'inProgress', items: [] } });
    codex.leave('first').forsake('first').join('again', THREAD);
    codex.line({
      method: 'turn/completed',
      params: { threadId: THREAD, turn: { id: C1, status: 'interrupted', items: [] } },
    });
    expect(codex.asked('thread/unsubscribe')).toEqual([]);
    expect(codex.state.members.map(({ seat }) => seat)).toEqual(['again']);
  });

  test('a conversation that is closed late, under the seat that has it now, is told as that seat’s end', () => {
    const codex = new Driven().seated('first', THREAD).leave('first').forsake('first');
    codex.join('again', THREAD).answered({ config: {} }).opened(THREAD);
    codex.prompt('again').answered({ turn: { id: C1, status: 'inProgress', items: [] } });
    codex.line({ method: 'thread/closed', params: { threadId: THREAD } });
    expect(codex.of('again').map(({ kind }) => kind)).toEqual(['joined', 'receipt', 'ended', 'left']);
    expect(codex.state.members).toEqual([]);
  });

  test('the answers to the opening and the closing of a seat come twice: the second says nothing', () => {
    const codex = new Driven().join('seat').answered({ config: {} });
    const started = codex.last;
    codex.opened(THREAD).opened(THREAD, started).leave('seat');
    const closing = { method: 'thread/closed', params: { threadId: THREAD } };
    codex.answered({ status: 'unsubscribed' }).answered({ status: 'unsubscribed' });
    codex.line(closing).line(closing);
    expect(codex.of('seat').map(({ kind }) => kind)).toEqual(['joined', 'left']);
  });
});

describe('each sees only its own', () => {
  test('half a line of one is shown to none of several', () => {
    const codex = new Driven().seated('a', THREAD).seated('b', OTHER);
    codex.line(
      `{"method":"item/completed","params":{"threadId":"${THREAD}","item":{"text":"what a person wrote`,
    );
    expect(codex.signals.filter((one) => one.kind === 'notice').map(({ to }) => to)).toEqual(['a', 'b']);
    expect(JSON.stringify(codex.signals)).not.toContain('what a person wrote');
  });

  test('alone, one is shown it', () => {
    const codex = new Driven().seated('a', THREAD).line('update available');
    expect(JSON.stringify(codex.of('a'))).toContain('update available');
  });
});

describe('a server that is busy', () => {
  const busy = { error: { code: -32_001, message: 'Server overloaded; retry later.' } };

  test('for the conversation of one seat: it is asked again, a few times, and the other seats are told nothing', () => {
    const codex = new Driven().seated('a', THREAD).prompt('a');
    codex.answered({ turn: { id: C1, status: 'inProgress', items: [] } });
    const before = codex.of('a').length;
    codex.join('b').answered({ config: {} });
    for (let asked = 0; asked < 10 && codex.of('b').length === 0; asked += 1)
      codex.line({ id: codex.last, ...busy });
    expect(codex.of('b')).toMatchObject([{ kind: 'join-failed', code: 'spawn_failed' }]);
    expect(codex.of('a')).toHaveLength(before);
    expect(codex.state.members.map(({ seat }) => seat)).toEqual(['a']);
  });

  test('for the message of one seat: its turn fails, the turn of the other goes on', () => {
    const codex = new Driven().seated('a', THREAD).seated('b', OTHER).prompt('a');
    codex.answered({ turn: { id: C1, status: 'inProgress', items: [] } });
    const before = codex.of('a').length;
    codex.prompt('b');
    for (let asked = 0; asked < 10 && codex.of('b').length === 1; asked += 1)
      codex.line({ id: codex.last, ...busy });
    expect(codex.of('b').at(-1)).toMatchObject({ kind: 'ended', outcome: { kind: 'failed' } });
    expect(codex.of('a')).toHaveLength(before);
  });

  test('a limit of the account that is reached is a notice to all, and ends nobody’s turn', () => {
    const codex = new Driven().seated('a', THREAD).seated('b', OTHER).prompt('a');
    codex.answered({ turn: { id: C1, status: 'inProgress', items: [] } });
    const limits = { rateLimits: { rateLimitReachedType: 'primary' } };
    codex.line({ method: 'account/rateLimits/updated', params: limits });
    const told = (seat: string): Told | undefined => codex.of(seat).at(-1);
    for (const seat of ['a', 'b']) expect(told(seat)).toMatchObject({ kind: 'notice', code: 'rate_limit' });
  });
});

test('a message that cannot be had any more is refused to its turn, and every other line is still written', () => {
  const codex = new Driven().seated('a', THREAD).prompt('a');
  const context = {
    settings: SETTINGS,
    input: () => {
      throw new Error('its session could not be read');
    },
  };
  const [write] = codex.asked('turn/start');
  const line: unknown = JSON.parse(sharedCodex.render(write!, context));
  expect(line).toEqual({ id: codex.last, method: 'pilotlight/withdrawn', params: {} });
  codex.line({ id: codex.last, error: { code: -32600, message: 'unknown variant' } });
  expect(codex.of('a').at(-1)).toMatchObject({ kind: 'ended', outcome: { kind: 'failed' } });
});

test('the allocator of a process of several keeps little for each thread, unless the user says otherwise', () => {
  const planned = (env: Record<string, string>): unknown =>
    sharedCodex.plan({ path: 'codex' }, { ...SETTINGS, env }).env['_RJEM_MALLOC_CONF'];
  expect(planned({})).toMatch(/tcache_max:\d+/);
  expect(planned({ _RJEM_MALLOC_CONF: 'narenas:1' })).toBe('narenas:1');
});

test('a conversation that a seat gives to another is that one’s, with what is said in it', () => {
  const codex = new Driven().seated('nobody', THREAD);
  codex.take((state) => sharedCodex.take(state, { from: 'nobody', to: 'a' }));
  codex.prompt('a').answered({ turn: { id: C1, status: 'inProgress', items: [] } });
  codex.line({
    method: 'turn/completed',
    params: { threadId: THREAD, turn: { id: C1, status: 'completed', items: [] } },
  });
  expect(codex.of('a').at(-1)).toMatchObject({ kind: 'ended', outcome: { kind: 'completed' } });
  expect(codex.of('nobody').map(({ kind }) => kind)).toEqual(['joined']);
});
