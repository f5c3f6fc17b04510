/**
 * The fake Claude's session: messages in, turns one after the other, control requests, the end of stdin.
 * Owns the queue and what is remembered. Knows nothing of flags.
 */
import { randomUUID } from 'node:crypto';
import { linesOf } from './claude-lines.mjs';
import { ClaudeTurn } from './claude-turn.mjs';
import { END_IGNORED, logReceived } from './lifetime.mjs';
import { complain } from './stdio.mjs';

const MODES = ['acceptEdits', 'auto', 'bypassPermissions', 'default', 'dontAsk', 'plan'];

export class ClaudeSession {
  queue = [];
  /** Requests to the host that wait for an answer. */
  asks = new Map();
  remembered;
  requests = 0;
  messages = 0;
  results = 0;
  lastFailed = false;
  /** A turn follows another without an idle moment between them. */
  continues = false;
  ended = false;
  stdin;
  #turn;
  #seen = new Set();
  #ids = 0;
  #memory;

  /** `setup`: {id, cwd, model, mode, version, old, asksHost, mayBypass, statesWanted, faults, out, memory, memoryOf, remembered}. */
  constructor({ memory, remembered, ...setup }) {
    Object.assign(this, setup);
    this.#memory = memory;
    this.remembered = [...remembered];
  }

  /** One line of stdin. A line that is not what the protocol wants ends the process, as it ends the real one. */
  hear(line) {
    if (line.trim() === '' || this.out.muted) return;
    let said;
    try {
      said = JSON.parse(line);
    } catch {
      complain(`Error parsing streaming input line (type=unknown, ${line.length} chars): SyntaxError`);
      process.exit(1);
    }
    if (said?.type === 'user') this.#prompt(said);
    if (said?.type === 'control_request') void this.#control(said.request_id, said.request ?? {});
    if (said?.type === 'control_response') this.#answer(said.response ?? {});
  }

  /** What runs goes on to its end; the process then leaves. */
  end() {
    this.ended = true;
    if (this.out.muted) return complain(END_IGNORED);
    for (const [id, resolve] of this.asks) {
      this.asks.delete(id);
      resolve(undefined);
    }
    if (this.#turn === undefined) void this.leave(this.lastFailed ? 1 : 0);
  }

  async leave(code) {
    await this.out.flush();
    process.exit(code);
  }

  /** SIGINT: the turn ends as if it were interrupted, and the process with it. */
  stopNow() {
    this.queue = [];
    this.ended = true;
    if (this.#turn === undefined) void this.leave(0);
    else this.#turn.interrupt();
    this.lastFailed = false;
    this.leavesWell = true;
  }

  remember({ uuid, text }) {
    this.remembered.push(text);
    this.#memory.append({ uuid: uuid ?? null, text });
  }

  /** The conversation goes on under another id, as behind `/clear` or in versions that made a new one on resuming. */
  renew() {
    this.id = randomUUID();
    this.#memory = this.memoryOf(this.id);
    for (const text of this.remembered) this.#memory.append({ uuid: null, text });
  }

  freshId(prefix) {
    this.#ids += 1;
    return `${prefix}_${process.pid}_${this.#ids}`;
  }

  #prompt({ message, uuid }) {
    if (message?.role !== 'user') {
      complain(`Error: Expected message role 'user', got '${message?.role}'`);
      process.exit(1);
    }
    const prompt = { uuid, text: textOf(message.content) };
    logReceived(this.id, prompt);
    if (this.faults.has('stop-reading-stdin')) this.stdin.stop();
    if (uuid !== undefined && this.#seen.has(uuid)) return void this.#swallow(prompt);
    if (uuid !== undefined) this.#seen.add(uuid);
    if (this.#turn === undefined) return void this.#run(new ClaudeTurn(this, [prompt]));
    this.queue.push(prompt);
    if (uuid !== undefined && !this.old && !this.faults.has('no-receipt'))
      void this.out.json(linesOf(this).lifecycle(uuid, 'queued'));
  }

  /** A message that was sent before: it is acknowledged, and no turn comes of it. */
  async #swallow({ uuid, text }) {
    const say = linesOf(this);
    if (!this.old) await this.out.json(say.lifecycle(uuid, 'completed'));
    await this.out.json(say.user(text, { uuid, isReplay: true }));
  }

  async #run(first) {
    for (let turn = first; turn !== undefined; turn = this.#next(turn)) {
      this.#turn = turn;
      await turn.run();
      if (turn.faults.has('result-then-exit'))
        await this.leave(Number(turn.faults.argument('result-then-exit', '0')));
      // What the prompt of the turn switched on.
      if (this.faults.has('stop-reading-stdin')) this.stdin.stop();
      if (this.faults.has('result-then-hang')) {
        await this.out.flush();
        this.out.mute();
        return;
      }
    }
    this.#turn = undefined;
    if (this.ended) await this.leave(this.lastFailed && !this.leavesWell ? 1 : 0);
  }

  #next(turn) {
    const messages = this.queue.splice(0);
    this.continues = messages.length > 0;
    if (messages.length > 0) return new ClaudeTurn(this, messages);
    if (turn.faults.takes('woke')) return new ClaudeTurn(this, [], { woken: true });
    return undefined;
  }

  #answer(response) {
    const resolve = this.asks.get(response.request_id);
    this.asks.delete(response.request_id);
    resolve?.(response);
  }

  async #control(id, request) {
    const { subtype } = request;
    if (subtype === 'initialize' && this.faults.has('silent-start')) return;
    if (subtype === 'interrupt' && this.#turn?.faults.has('deaf-interrupt')) return;
    const tuning = subtype === 'set_permission_mode' || subtype === 'set_model';
    if (tuning && this.faults.has('deaf-settings')) return;
    const handler = tuning && this.faults.has('settings-refused') ? refuses : CONTROLS[subtype];
    const reply = handler?.(this, request) ?? {
      error: `Unsupported control request subtype: ${subtype}`,
      error_code: 'unsupported_request',
    };
    const response =
      reply.error === undefined
        ? {
            subtype: 'success',
            request_id: id,
            ...(reply.response === undefined ? {} : { response: reply.response }),
          }
        : { subtype: 'error', request_id: id, ...reply };
    for (const line of reply.before ?? []) await this.out.json(line);
    await this.out.json({ type: 'control_response', response });
    for (const line of reply.after ?? []) await this.out.json(line);
    reply.follow?.();
  }

  interrupt({ cancel_queued: drop }) {
    if (this.#turn?.faults.takes('interrupt-refused'))
      return { error: 'the interrupt is refused (the fake agent was told so)', error_code: 'internal_error' };
    const say = linesOf(this);
    const before = [...this.asks.keys()].map((id) => ({ type: 'control_cancel_request', request_id: id }));
    this.asks.clear();
    const uuids = () => this.queue.flatMap(({ uuid }) => (uuid === undefined ? [] : [uuid]));
    const cancelled = drop === true && !this.old ? uuids() : [];
    if (cancelled.length > 0) this.queue = [];
    before.push(...cancelled.map((uuid) => say.lifecycle(uuid, 'cancelled')));
    const turn = this.#turn;
    const follow = () => turn?.interrupt();
    if (this.old) return { before, follow };
    const response = { still_queued: uuids(), ...(drop === true ? { cancelled } : {}) };
    return { before, response, follow };
  }

  cancelQueued(uuid) {
    const known = this.queue.some((message) => message.uuid === uuid);
    this.queue = this.queue.filter((message) => message.uuid !== uuid);
    const before = known ? [linesOf(this).lifecycle(uuid, 'cancelled')] : [];
    return { before, response: { cancelled: known, message_uuid: uuid } };
  }

  setMode(mode) {
    if (!MODES.includes(mode))
      return {
        error: `Cannot set permission mode: must be one of ${MODES.join(', ')}`,
        error_code: 'invalid_mode',
      };
    if (mode === 'bypassPermissions' && !this.mayBypass)
      return {
        error:
          'Cannot set permission mode to bypassPermissions because the session was not launched with ' +
          '--dangerously-skip-permissions',
        error_code: 'bypass_not_launched',
      };
    this.mode = mode;
    const after = [linesOf(this).system('status', { status: null, permissionMode: mode })];
    return { response: { mode }, after };
  }

  greeting() {
    return {
      commands: [],
      agents: [],
      output_style: 'default',
      available_output_styles: ['default'],
      models: [{ value: 'default', displayName: 'Default', description: 'what the fake agent runs on' }],
      account: { tokenSource: 'none', apiKeySource: 'none', apiProvider: 'firstParty' },
      pid: process.pid,
      claude_code_version: this.version,
      current_permission_mode: this.mode,
      session_state: this.#turn === undefined ? 'idle' : 'running',
      capabilities: this.old ? [] : ['ui_surface_v1'],
    };
  }
}

const refuses = () => ({ error: 'these settings are refused (the fake agent was told so)' });

/** Subtype → {response?, error?, before?, after?, follow?}: what is answered, what is printed around it, what is then done. */
const CONTROLS = {
  initialize: (session) => ({ response: session.greeting() }),
  interrupt: (session, request) => session.interrupt(request),
  set_permission_mode: (session, { mode }) => session.setMode(mode),
  set_model: (session, { model }) => {
    session.model = model ?? 'fake-model';
    return { response: { model: session.model } };
  },
  set_max_thinking_tokens: () => ({}),
  set_cwd: (session, { cwd }) => {
    if (session.old) return undefined;
    session.cwd = cwd;
    return { response: { status: 'ok', cwd } };
  },
  mcp_status: () => ({ response: { mcpServers: [] } }),
  mcp_set_servers: () => ({ response: { added: [], removed: [], errors: {} } }),
  apply_flag_settings: () => ({}),
  get_binary_version: (session) => ({ response: { version: session.version } }),
  stop_task: () => ({}),
  cancel_async_message: (session, { message_uuid: uuid }) => session.cancelQueued(uuid),
  end_session: (session) => ({ follow: () => void session.leave(0) }),
};

function textOf(content) {
  if (typeof content === 'string') return content;
  const blocks = Array.isArray(content) ? content : [];
  return blocks
    .filter((block) => block?.type === 'text')
    .map((block) => block.text)
    .join('\n');
}
