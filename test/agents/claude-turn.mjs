/**
 * One turn of the fake Claude: from the messages that caused it to its result.
 * Owns what comes before and behind the answer. Knows nothing of stdin; the queue is the session's.
 */
import { randomUUID } from 'node:crypto';
import { decisionOf } from './claude-asks.mjs';
import { bareResult, linesOf, resultLine, spuriousResult } from './claude-lines.mjs';
import { ClaudeVoice } from './claude-voice.mjs';
import { onceThere, perform, withResolvers } from './perform.mjs';
import { parsePrompt, PROCESS_FAULTS } from './script.mjs';
import { Interrupted, TurnOut } from './turn-out.mjs';

export class ClaudeTurn {
  steps = [];
  faults;
  lines;
  say;
  requests = 0;
  messageIds = [];
  denials = [];
  startedAt = performance.now();
  origin;
  #controller = new AbortController();
  #messages;
  #receipted = false;
  #folded = [];

  /** `messages`: [{uuid, text}], none for a turn that nobody asked for. */
  constructor(session, messages, { woken = false } = {}) {
    this.session = session;
    this.cwd = session.cwd;
    this.say = linesOf(session);
    this.#messages = [...messages];
    const faults = messages.flatMap((message) => this.#read(message));
    this.faults = woken ? session.faults.with([]) : session.faults.with(faults);
    if (woken) {
      this.faults.takes('woke');
      this.origin = { kind: 'task-notification', producer: 'session-task' };
      this.steps.push({ kind: 'say', text: 'I woke up by myself' });
    }
    this.lines = new TurnOut({ out: session.out, faults: this.faults, signal: this.#controller.signal });
  }

  async run() {
    const voice = new ClaudeVoice(this);
    let terminal;
    try {
      await this.#begin();
      await perform(this, voice);
      await voice.finish();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      terminal = await voice.abort();
    }
    if (this.faults.has('no-result')) return;
    await this.#end(voice, terminal);
  }

  interrupt() {
    this.#controller.abort();
  }

  earlier() {
    return this.session.remembered.slice(0, this.session.remembered.length - this.#messages.length);
  }

  /** Whether lines name the messages that they answer. */
  get tracked() {
    return !this.session.old && !this.faults.has('no-receipt') && this.#uuids().length > 0;
  }

  names() {
    if (!this.tracked) return {};
    const uuids = this.#uuids();
    return { user_message_uuid: uuids.at(-1), user_message_uuids: uuids };
  }

  status() {
    const names = this.tracked ? { user_message_uuids: this.#uuids() } : {};
    return this.say.system('status', { status: 'requesting', ...names });
  }

  /** The echo of the message: before the answer, behind its deltas on 2.1.197, or never. */
  async receipt(moment, options) {
    const late = this.session.old || this.faults.has('late-receipt');
    if (this.#receipted || (moment === 'early' && late)) return;
    this.#receipted = true;
    if (this.#messages.length === 0 || this.faults.has('no-receipt')) return;
    const text = this.#messages.map((message) => message.text).join('\n');
    await this.lines.put(this.#echo({ uuid: this.#messages.at(-1).uuid, text }), options);
  }

  /** Messages that came while a tool ran are taken into this turn. */
  async folded() {
    for (const message of this.session.queue.splice(0)) {
      this.faults.add(this.#read(message));
      this.#messages.push(message);
      this.#folded.push(message);
      this.session.remember(message);
      await this.lines.put(this.#echo(message));
      await this.#lifecycle(message, 'started');
    }
  }

  /** A task that goes on when the turn has ended, until the file is there. It wakes nobody. */
  async background(file) {
    const task = { task_id: 'task_fake', task_type: 'local_bash', description: `wait for ${file}` };
    await this.lines.put(this.say.system('background_tasks_changed', { tasks: [task] }));
    const over = this.say.system('background_tasks_changed', { tasks: [] });
    onceThere(file, () => void this.session.out.json(over));
  }

  /** Sends a request to the host. Its answer is waited for with `answered`. */
  async request(request) {
    const id = randomUUID();
    const { promise, resolve } = withResolvers();
    this.session.asks.set(id, resolve);
    await this.#state('requires_action');
    await this.lines.put({ type: 'control_request', request_id: id, request });
    return { promise };
  }

  async answered({ promise }) {
    const response = await this.lines.wait(promise);
    if (response !== undefined) await this.lines.put({ type: 'control_response', response });
    await this.#state('running');
    const decision = decisionOf(response);
    if (decision.behavior === 'deny' && decision.interrupt === true) this.interrupt();
    return decision;
  }

  /** Steps are kept, process faults switched on; the turn's own faults are returned. */
  #read({ text }) {
    try {
      const { steps, faults } = parsePrompt(text);
      this.steps.push(...steps);
      this.session.faults.add(faults.filter(({ name }) => PROCESS_FAULTS.includes(name)));
      return faults.filter(({ name }) => !PROCESS_FAULTS.includes(name));
    } catch (error) {
      this.steps.push({ kind: 'say', text: error.message });
      return [];
    }
  }

  async #begin() {
    if (this.faults.has('new-session')) this.session.renew();
    for (const message of this.#messages) this.session.remember(message);
    if (this.origin !== undefined) await this.#wakeUp();
    if (!this.session.continues) await this.#state('running');
    for (const message of this.#messages.slice(0, -1)) await this.lines.put(this.#echo(message));
    for (const message of this.#messages) {
      if (!this.session.continues) await this.#lifecycle(message, 'queued');
      await this.#lifecycle(message, 'started');
    }
    if (this.faults.has('no-opening')) return;
    await this.lines.put(this.say.init());
    await this.lines.put(this.status());
  }

  async #wakeUp() {
    const task = { task_id: 'task_fake', tool_use_id: 'toolu_fake_background' };
    const patch = { status: 'completed', end_time: Date.now() };
    const summary = 'Background command "sleep 1" completed (exit code 0)';
    await this.lines.put(this.say.system('task_updated', { ...task, patch }));
    await this.lines.put(this.say.system('task_notification', { ...task, status: 'completed', summary }));
    await this.lines.put(this.say.system('background_tasks_changed', { tasks: [] }));
  }

  async #end(voice, terminal) {
    const { session } = this;
    const put = (line) => this.lines.put(line, { ending: true });
    for (const message of this.#folded) await this.#lifecycle(message, 'completed', { ending: true });
    const result = resultLine(session, this, this.#outcome(voice, terminal));
    await put(this.faults.has('bare-result') ? bareResult(result) : result);
    session.results += 1;
    session.lastFailed = terminal !== undefined || voice.failure !== undefined;
    for (const message of this.#messages.filter((one) => !this.#folded.includes(one))) {
      await this.#lifecycle(message, terminal === undefined ? 'completed' : 'cancelled', { ending: true });
    }
    if (this.faults.has('second-result')) await put(spuriousResult(session, 'a second result, of no turn'));
    if (session.queue.length === 0) await this.#state('idle', { ending: true });
  }

  #outcome(voice, terminal) {
    if (terminal !== undefined) {
      const errors = [
        `[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=${voice.stopReason}`,
      ];
      return {
        subtype: 'error_during_execution',
        isError: true,
        terminal,
        errors,
        stopReason: voice.stopReason,
      };
    }
    const failed = voice.failure !== undefined;
    return {
      subtype: 'success',
      isError: failed,
      terminal: voice.failure?.terminal ?? 'completed',
      status: voice.failure?.status,
      text: voice.text,
      stopReason: voice.stopReason,
    };
  }

  #uuids() {
    return this.#messages.flatMap(({ uuid }) => (uuid === undefined ? [] : [uuid]));
  }

  #echo({ uuid, text }) {
    return this.say.user(text, { ...(uuid === undefined ? {} : { uuid }), isReplay: true });
  }

  async #lifecycle({ uuid }, state, options) {
    if (uuid === undefined || this.session.old || this.faults.has('no-receipt')) return;
    await this.lines.put(this.say.lifecycle(uuid, state), options);
  }

  async #state(state, options) {
    if (!this.session.statesWanted) return;
    await this.lines.put(this.say.system('session_state_changed', { state }), options);
  }
}
