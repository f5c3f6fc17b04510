/**
 * One turn of the fake Codex: from the answer to `turn/start` to `turn/completed`.
 * Owns steering and interrupting. Knows nothing of stdin.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { turnShape, userMessage } from './codex-shapes.mjs';
import { CodexVoice } from './codex-voice.mjs';
import { perform, withResolvers } from './perform.mjs';
import { parsePrompt, PROCESS_FAULTS } from './script.mjs';
import { Interrupted, TurnOut } from './turn-out.mjs';

/** Between the answer to `turn/start` and the turn's begin: 8 to 25 ms were seen. */
const TAKING_UP_MS = 8;

export class CodexTurn {
  id = randomUUID();
  steps = [];
  faults;
  lines;
  /** Before it the turn cannot be interrupted. */
  started = false;
  /** The turn is over but for its last lines: a message that comes now begins another. */
  closing = false;
  /** The request to the host that waits for an answer. */
  asked;
  #requestId;
  #prompts;
  #controller = new AbortController();
  #interrupted = false;
  #steers = [];
  #receipted = false;
  #startedAt = Date.now();
  #done = withResolvers();

  /** `prompts`: [{text, clientId}], none for a turn that nobody asked for. */
  constructor(thread, prompts, { requestId, woken = false } = {}) {
    this.thread = thread;
    this.cwd = thread.cwd;
    this.commandEnv = thread.commandEnv;
    this.#requestId = requestId;
    this.#prompts = prompts;
    this.faults = thread.server.faults.with(prompts.flatMap((prompt) => this.#read(prompt)));
    if (woken) {
      this.faults.takes('woke');
      this.steps.push({ kind: 'say', text: 'I woke up by myself' });
    }
    this.lines = new TurnOut({
      out: thread.server.out,
      faults: this.faults,
      signal: this.#controller.signal,
    });
  }

  get done() {
    return this.#done.promise;
  }

  async run() {
    const voice = new CodexVoice(this);
    for (let first = true; first || this.#steers.length > 0; first = false) {
      try {
        await (first ? this.#begin() : this.#takeSteers());
        await perform(this, voice);
        await voice.finish();
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
      }
      if (this.#interrupted) break;
      voice.drop();
      if (this.#steers.length > 0) this.#renew();
    }
    this.closing = true;
    if (!this.faults.has('no-result')) await this.#end(voice);
    this.#done.resolve();
  }

  interrupt() {
    this.#interrupted = true;
    this.#controller.abort();
  }

  /** A message for the running turn: what is being said is cut off. */
  steer(prompt) {
    this.#steers.push(prompt);
    this.#controller.abort();
  }

  earlier() {
    return this.thread.remembered.slice(0, this.thread.remembered.length - this.#prompts.length);
  }

  shape(fields) {
    return turnShape(this.id, fields);
  }

  notification(method, params) {
    const named = { threadId: this.thread.id, turnId: this.id, ...params };
    return { method, params: named, emittedAtMs: Date.now() };
  }

  async notify(method, params, options) {
    if (!this.thread.server.wants(method)) return;
    await this.lines.put(this.notification(method, params), options);
  }

  item(moment, item) {
    const now = Date.now();
    const started = moment === 'started';
    const at = started ? { startedAtMs: now } : { contentTokenCount: null, completedAtMs: now };
    const dated = { ...item, startedAtMs: now, completedAtMs: started ? null : now };
    return this.notify(`item/${moment}`, { item: dated, ...at });
  }

  status(status, options) {
    return this.threadNotice('thread/status/changed', { status }, options);
  }

  /** The answer to `turn/start` and the user's message: before the turn begins, behind its deltas, or never. */
  async receipt(moment) {
    const late = this.faults.has('late-receipt');
    if (this.#receipted || late !== (moment === 'late')) return;
    this.#receipted = true;
    if (this.faults.has('no-receipt')) return;
    await this.#respond();
    if (late) await this.#userItems(this.#prompts);
  }

  async #begin() {
    for (const prompt of this.#prompts) this.thread.remember(prompt);
    await this.receipt('early');
    await this.lines.wait(sleep(TAKING_UP_MS));
    await this.#open();
    const silent = this.faults.has('no-receipt') || this.faults.has('late-receipt');
    if (!silent) await this.#userItems(this.#prompts);
  }

  async #open() {
    this.started = true;
    if (this.faults.has('no-opening')) return;
    await this.status({ type: 'active', activeFlags: [] });
    const startedAt = Math.floor(this.#startedAt / 1000);
    await this.threadNotice('turn/started', { turn: this.shape({ startedAt }) });
  }

  async #respond() {
    if (this.#requestId === undefined) return;
    await this.lines.put({ id: this.#requestId, result: { turn: this.shape({}) } });
  }

  async #userItems(prompts) {
    for (const prompt of prompts) {
      const item = userMessage(randomUUID(), prompt);
      await this.item('started', item);
      await this.item('completed', item);
    }
  }

  async #takeSteers() {
    const prompts = this.#steers.splice(0);
    // Cut off before it began: it begins with what it was steered by.
    if (!this.started) await this.#open();
    this.steps.length = 0;
    for (const prompt of prompts) {
      this.faults.add(this.#read(prompt));
      this.#prompts.push(prompt);
      this.thread.remember(prompt);
    }
    await this.#userItems(prompts);
  }

  #renew() {
    this.#controller = new AbortController();
    this.lines.signal = this.#controller.signal;
  }

  #read({ text }) {
    const { server } = this.thread;
    try {
      const { steps, faults } = parsePrompt(text);
      this.steps.push(...steps);
      server.faults.add(faults.filter(({ name }) => PROCESS_FAULTS.includes(name)));
      return faults.filter(({ name }) => !PROCESS_FAULTS.includes(name));
    } catch (error) {
      this.steps.push({ kind: 'say', text: error.message });
      return [];
    }
  }

  async #end(voice) {
    const ending = { ending: true };
    const failed = voice.failure !== undefined;
    const status = this.#interrupted ? 'interrupted' : failed ? 'failed' : 'completed';
    const firstUnread = { type: 'turn', turnId: this.id };
    if (!this.#interrupted)
      await this.threadNotice(
        'thread/readState/changed',
        { readState: { firstUnread, revision: randomUUID() } },
        ending,
      );
    await this.status({ type: failed ? 'systemError' : 'idle' }, ending);
    const last = this.#interrupted || voice.last === undefined ? [] : [voice.last];
    const turn = this.#over({ status, error: voice.failure ?? null, items: last });
    const told = this.faults.has('bare-result') ? { id: turn.id, status } : turn;
    await this.threadNotice('turn/completed', { turn: told }, ending);
    if (this.asked !== undefined)
      await this.threadNotice('serverRequest/resolved', { requestId: this.asked }, ending);
    if (this.faults.has('second-result')) {
      const error = { message: 'a second end, of no turn', codexErrorInfo: 'other', additionalDetails: null };
      await this.threadNotice('turn/completed', { turn: this.#over({ status: 'failed', error }) }, ending);
    }
  }

  #over(fields) {
    const completedAt = Date.now();
    return this.shape({
      itemsView: 'summary',
      startedAt: Math.floor(this.#startedAt / 1000),
      completedAt: Math.floor(completedAt / 1000),
      durationMs: completedAt - this.#startedAt,
      ...fields,
    });
  }

  /** Notifications about the thread name no turn. */
  async threadNotice(method, params, options) {
    const { server, id } = this.thread;
    if (!server.wants(method)) return;
    await this.lines.put({ method, params: { threadId: id, ...params }, emittedAtMs: Date.now() }, options);
  }
}
