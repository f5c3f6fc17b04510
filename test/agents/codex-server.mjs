/**
 * The fake `codex app-server`: requests in, threads and their turns.
 * Owns JSON-RPC and the lives of threads. Knows nothing of what a turn says.
 */
import { randomUUID } from 'node:crypto';
import { threadOpened, threadShape, VERSION } from './codex-shapes.mjs';
import { Overload, Refusal, Thread } from './codex-thread.mjs';
import { CodexTurn } from './codex-turn.mjs';
import { END_IGNORED, logReceived } from './lifetime.mjs';
import { withResolvers } from './perform.mjs';
import { complain } from './stdio.mjs';

export class CodexServer {
  stdin;
  threads = new Map();
  #greeted = false;
  #experimental = false;
  #unwanted = new Set();
  #requests = 0;
  #expected = new Map();

  constructor({ faults, out, home }) {
    this.faults = faults;
    this.out = out;
    this.home = home;
  }

  /** One line of stdin. What is not JSON-RPC is never answered. */
  hear(line) {
    if (this.out.muted) return;
    let said;
    try {
      said = JSON.parse(line);
    } catch (error) {
      complain(
        `\u001B[31mERROR\u001B[0m codex_app_server_transport: Failed to deserialize JSONRPCMessage: ${error.message}`,
      );
      return;
    }
    if (typeof said?.method === 'string' && said.id !== undefined) void this.#answer(said);
    else if (said?.method === 'initialized') void this.#initialized();
    else if (said?.id !== undefined) this.#settle(said);
  }

  /** Stdin has ended, or SIGTERM came: the process leaves at once, with whatever runs. */
  async leave() {
    if (this.out.muted) return complain(END_IGNORED);
    for (const thread of this.threads.values()) thread.unlock();
    await this.out.flush();
    process.exit(0);
  }

  wants(method) {
    return !this.#unwanted.has(method);
  }

  nextRequestId() {
    this.#requests += 1;
    return this.#requests - 1;
  }

  /** The id of a request to the host, and its answer when it comes. Ids count from 0 and collide with the host's. */
  expectAnswer() {
    const id = this.nextRequestId();
    const { promise, resolve } = withResolvers();
    this.#expected.set(id, resolve);
    return { id, answered: promise };
  }

  async #answer({ id, method, params = {} }) {
    if (method === 'initialize' && this.faults.has('silent-start')) return;
    try {
      const handler = this.#handlerOf(method);
      const result = await handler(params, id);
      // A turn answers for itself: its answer is the first of its lines.
      if (result !== undefined) await this.out.json({ id, result: result.result });
      result?.follow?.();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.out.json({ error: { code: error.code, message: error.message }, id });
    }
  }

  #handlerOf(method) {
    if (method === 'initialize' && this.#greeted) throw new Refusal('Already initialized');
    if (method !== 'initialize' && !this.#greeted) throw new Refusal('Not initialized');
    const handler = this.#handlers[method];
    if (handler === undefined)
      throw new Refusal(`Invalid request: unknown variant \`${method}\`, expected one of …`);
    return handler;
  }

  #handlers = {
    initialize: ({ clientInfo, capabilities }) => {
      this.#greeted = true;
      this.#experimental = capabilities?.experimentalApi === true;
      this.#unwanted = new Set(capabilities?.optOutNotificationMethods ?? []);
      const userAgent = `${clientInfo?.name ?? 'host'}/${VERSION} (fake; ${process.arch}) fake`;
      return {
        result: { userAgent, codexHome: this.home, platformFamily: 'unix', platformOs: process.platform },
      };
    },
    'config/read': () => ({
      result: {
        config: { model: 'fake-model', model_provider: 'fake', model_providers: {} },
        origins: {},
        layers: null,
      },
    }),
    'thread/start': (params) => {
      const thread = new Thread(this, randomUUID(), params);
      thread.memory.create();
      thread.lock();
      this.threads.set(thread.id, thread);
      const notice = { method: 'thread/started', params: { thread: threadShape(thread) } };
      return { result: threadOpened(thread), follow: () => void this.#notify(notice) };
    },
    'thread/resume': async (params) => {
      const thread = this.threads.get(params.threadId) ?? this.#resumed(params);
      const status = threadShape(thread).status;
      const changed = { threadId: thread.id, status };
      await this.#notify({ method: 'thread/status/changed', params: changed });
      return { result: threadOpened(thread) };
    },
    'thread/settings/update': (params) => {
      this.#needsExperimental('thread/settings/update');
      if (this.faults.has('deaf-settings')) return undefined;
      if (this.faults.has('settings-refused'))
        throw new Refusal('these settings are refused (the fake agent was told so)');
      const thread = this.#thread(params.threadId);
      thread.change(params);
      const notice = {
        method: 'thread/settings/updated',
        params: { threadId: thread.id, threadSettings: { model: thread.model, effort: null } },
      };
      return { result: {}, follow: () => void this.#notify(notice) };
    },
    'thread/unsubscribe': ({ threadId }) => {
      const thread = this.threads.get(threadId);
      if (thread === undefined) return { result: { status: 'notLoaded' } };
      return { result: { status: 'unsubscribed' }, follow: () => void this.#unload(thread) };
    },
    'thread/loaded/list': () => ({ result: { data: [...this.threads.keys()], nextCursor: null } }),
    'thread/turns/list': ({ threadId }) => ({
      result: { data: this.#thread(threadId).turns.map((turn) => turn.shape({})), nextCursor: null },
    }),
    'turn/start': (params, id) => this.#turnStart(params, id),
    'turn/steer': ({ threadId, expectedTurnId, input }) => {
      const turn = this.#active(threadId, 'steer');
      if (turn.id !== expectedTurnId)
        throw new Refusal(`expected active turn id ${expectedTurnId} but found ${turn.id}`);
      turn.steer(this.#prompt(turn.thread, { input }));
      return { result: { turnId: turn.id } };
    },
    'turn/interrupt': ({ threadId, turnId }) => {
      const turn = this.#active(threadId, 'interrupt');
      if (turn.id !== turnId || turn.faults.takes('interrupt-refused'))
        throw new Refusal(`expected active turn id ${turnId} but found ${turn.id}`);
      if (turn.faults.has('deaf-interrupt')) return undefined;
      return { result: {}, follow: () => turn.interrupt() };
    },
    'thread/backgroundTerminals/list': ({ threadId }) => {
      this.#needsExperimental('thread/backgroundTerminals/list');
      const items = [...this.#thread(threadId).terminals.values()];
      const data = items.map(({ id, processId, command, cwd }) => ({ itemId: id, processId, command, cwd }));
      return { result: { data, nextCursor: null } };
    },
    'thread/backgroundTerminals/clean': ({ threadId }) => {
      this.#needsExperimental('thread/backgroundTerminals/clean');
      const thread = this.#thread(threadId);
      return { result: {}, follow: () => void thread.clean() };
    },
  };

  /** As with `thread_unload_delay_secs=0`: nobody listens, so it is closed, once it rests. */
  async #unload(thread) {
    if (thread.turn !== undefined) return;
    thread.unlock();
    this.threads.delete(thread.id);
    await this.#notify({ method: 'thread/closed', params: { threadId: thread.id } });
  }

  #turnStart(params, id) {
    if (params.threadId === undefined) throw new Refusal('Invalid request: missing field `threadId`');
    const thread = this.#thread(params.threadId);
    const mode = params.collaborationMode?.mode;
    if (mode !== undefined) this.#needsExperimental('turn/start.collaborationMode');
    if (mode !== undefined) thread.plan = mode === 'plan';
    const prompt = this.#prompt(thread, params);
    const { turn } = thread;
    if (turn === undefined || turn.closing) {
      thread.begin(new CodexTurn(thread, [prompt], { requestId: id }));
      return undefined;
    }
    turn.steer(prompt);
    return { result: { turn: turn.shape({}) } };
  }

  #prompt(thread, { input = [], clientUserMessageId }) {
    const text = input
      .filter((part) => part.type === 'text')
      .map((part) => part.text)
      .join('\n');
    const prompt = { text, clientId: clientUserMessageId };
    // Refused, and so not received: whoever sent it may send it again.
    if (/^(?:fault )?overloaded$/m.test(text)) throw new Overload('Server overloaded; retry later.');
    logReceived(thread.id, { uuid: clientUserMessageId, text });
    if (this.faults.has('stop-reading-stdin')) this.stdin.stop();
    return prompt;
  }

  #resumed(params) {
    if (this.faults.has('resume-fails')) throw new Refusal('failed to load rollout: the file is damaged');
    const thread = new Thread(this, params.threadId, params);
    const earlier = this.faults.has('resume-unknown') ? undefined : thread.memory.read();
    if (earlier === undefined) throw new Refusal(`no rollout found for thread id ${params.threadId}`);
    thread.remembered = earlier.map(({ text }) => text);
    thread.lock();
    this.threads.set(thread.id, thread);
    return thread;
  }

  #thread(id) {
    const thread = this.threads.get(id);
    if (thread === undefined) throw new Refusal(`thread not found: ${id}`);
    return thread;
  }

  #active(threadId, verb) {
    const { turn } = this.#thread(threadId);
    if (turn === undefined || turn.closing || !turn.started) throw new Refusal(`no active turn to ${verb}`);
    return turn;
  }

  #needsExperimental(what) {
    if (!this.#experimental) throw new Refusal(`${what} requires experimentalApi capability`);
  }

  #settle({ id, result, error }) {
    const resolve = this.#expected.get(id);
    this.#expected.delete(id);
    resolve?.({ result, error });
  }

  #initialized() {
    return this.#notify({ method: 'remoteControl/status/changed', params: { status: 'disabled' } });
  }

  async #notify({ method, params }) {
    if (this.wants(method)) await this.out.json({ method, params, emittedAtMs: Date.now() });
  }
}
