/**
 * How Codex says what a turn does: items, deltas, commands, approvals.
 * Owns the order of notifications inside an answer. Knows nothing of requests and threads' lives.
 */
import {
  agentMessage,
  commandExecution,
  QUESTION,
  RATE_LIMITS,
  reasoning,
  tokenUsage,
  turnError,
} from './codex-shapes.mjs';
import { notUtf8 } from './turn-out.mjs';

const PIECE = 1024 * 1024;

export class CodexVoice {
  spoke = false;
  /** The last finished agentMessage, which `turn/completed` repeats. */
  last;
  /** Why the turn failed. */
  failure;
  #turn;
  #item;

  constructor(turn) {
    this.#turn = turn;
  }

  get inText() {
    return this.#item !== undefined;
  }

  async delta(text) {
    await this.#openText();
    this.#say(text);
    if (!this.#fallback)
      await this.#turn.notify('item/agentMessage/delta', this.#textDelta(text), { delta: true });
  }

  deltaOverhead() {
    return JSON.stringify(this.#turn.notification('item/agentMessage/delta', this.#textDelta(''))).length + 1;
  }

  /** An item every mebibyte, so that the whole text is never held at once. */
  async flood(texts) {
    await this.#openText();
    for (const text of texts) this.#say(text);
    const named = (text) => this.#turn.notification('item/agentMessage/delta', this.#textDelta(text));
    if (!this.#fallback) await this.#turn.lines.putAll(texts.map(named));
    if (this.#item.size > PIECE) await this.#closeText();
  }

  async think(chunks) {
    await this.#closeText();
    const itemId = this.#turn.thread.freshId('rs');
    await this.#started(reasoning(itemId, []));
    await this.#turn.notify('item/reasoning/summaryPartAdded', { itemId, summaryIndex: 0 });
    for (const delta of chunks)
      await this.#turn.notify(
        'item/reasoning/summaryTextDelta',
        { itemId, delta, summaryIndex: 0 },
        { delta: true },
      );
    await this.#completed(reasoning(itemId, [chunks.join('')]));
  }

  /** A command; one that an interrupt leaves running stays as a background terminal. */
  async tool({ command, output }) {
    await this.finish();
    const { thread } = this.#turn;
    const item = commandExecution(this.#callId(), { command, cwd: thread.cwd });
    await this.#started(item);
    if (this.#turn.faults.has('open-tools')) return;
    thread.terminals.set(item.id, item);
    const aggregatedOutput = await output();
    thread.terminals.delete(item.id);
    await this.#completed({ ...item, status: 'completed', aggregatedOutput, exitCode: 0, durationMs: 1 });
    await this.#used();
  }

  async ask() {
    await this.finish();
    const { thread } = this.#turn;
    const command = 'touch fake-agent';
    const asks = thread.approvalPolicy !== 'never';
    const about = asks ? { processId: null, source: 'agent' } : {};
    const item = commandExecution(this.#callId(), { command, cwd: thread.cwd, ...about });
    const decision = asks ? await this.#approval(item, command) : 'not needed';
    if (!asks) await this.#started(item);
    const allowed = !asks || decision === 'accept' || decision === 'acceptForSession';
    const status = allowed ? 'completed' : decision === 'decline' ? 'declined' : 'failed';
    await this.#completed({ ...item, status, exitCode: allowed ? 0 : null });
    await this.#used();
    return allowed ? `${asks ? 'allowed' : decision}: ${command}` : `denied: ${decision}`;
  }

  /** Codex has questions in plan mode only; in every other its tool answers the model with an error. */
  async question() {
    await this.finish();
    if (!this.#turn.thread.plan) return 'none (request_user_input is unavailable in Default mode)';
    const params = { itemId: this.#callId(), questions: [QUESTION], isBlocking: true };
    const answer = await this.#asked('item/tool/requestUserInput', params, 'waitingOnUserInput');
    await this.#used();
    return answer.result?.answers?.q1?.answers?.join(', ') ?? 'none';
  }

  /** The stream of the model breaks and is begun again: what was begun is never completed. */
  async cut() {
    this.#item = undefined;
    const codexErrorInfo = { responseStreamDisconnected: { httpStatusCode: null } };
    const error = { message: 'Reconnecting... 1/5', codexErrorInfo, additionalDetails: null };
    await this.#turn.notify('error', { error, willRetry: true });
  }

  async strange() {
    const { thread, lines } = this.#turn;
    await this.#turn.notify('thread/fromTheFuture', { what: { nested: [1, null] } });
    const item = { type: 'itemFromTheFuture', id: thread.freshId('future'), value: 1 };
    await this.#started(item);
    await this.#completed(item);
    await lines.put({
      method: 'item/fromTheFuture/request',
      id: thread.server.nextRequestId(),
      params: { threadId: thread.id, turnId: this.#turn.id },
    });
  }

  /** A delta whose text is not UTF-8. */
  async broken() {
    await this.#openText();
    this.#say('\uFFFD');
    const line = this.#turn.notification('item/agentMessage/delta', this.#textDelta('@@'));
    await this.#turn.lines.put(notUtf8(line));
  }

  async fail(status) {
    this.failure = turnError(status);
    await this.#turn.notify('error', { error: this.failure, willRetry: false });
  }

  /** Completes the message that is being said. */
  async finish() {
    if (this.#item === undefined) return;
    await this.#closeText();
    await this.#used();
  }

  /** What was being said is left as it is: after an interrupt or a steer no item is completed. */
  drop() {
    this.#item = undefined;
  }

  get #fallback() {
    return this.#turn.faults.has('fallback');
  }

  #say(text) {
    this.spoke = true;
    this.#item.parts.push(text);
    this.#item.size += text.length;
  }

  #textDelta(delta) {
    return { itemId: this.#item?.id ?? this.#turn.thread.freshId('m'), delta };
  }

  async #openText() {
    if (this.#item !== undefined) return;
    const id = this.#turn.faults.has('repeated-message-ids')
      ? 'm_fake_repeated'
      : this.#turn.thread.freshId('m');
    this.#item = { id, parts: [], size: 0 };
    await this.#started(agentMessage(id, ''));
  }

  async #closeText() {
    if (this.#item === undefined) return;
    const { id, parts } = this.#item;
    this.last = agentMessage(id, parts.join(''));
    await this.#turn.receipt('late');
    await this.#completed(this.last);
    this.#item = undefined;
  }

  #callId() {
    return this.#turn.faults.has('repeated-tool-ids')
      ? 'call_fake_repeated'
      : this.#turn.thread.freshId('call');
  }

  #started(item) {
    return this.#turn.item('started', item);
  }

  #completed(item) {
    return this.#turn.item('completed', item);
  }

  async #used() {
    const { thread } = this.#turn;
    thread.requests += 1;
    await this.#turn.notify('thread/tokenUsage/updated', { tokenUsage: tokenUsage(thread.requests) });
    if (thread.server.wants('account/rateLimits/updated'))
      await this.#turn.lines.put({
        method: 'account/rateLimits/updated',
        params: { rateLimits: RATE_LIMITS },
        emittedAtMs: Date.now(),
      });
  }

  async #approval(item, command) {
    const params = {
      kind: 'command',
      itemId: item.id,
      command: item.command,
      cwd: item.cwd,
      commandActions: item.commandActions,
      proposedExecpolicyAmendment: command.split(' '),
      availableDecisions: ['accept', 'cancel'],
    };
    const begin = () => this.#started(item);
    const method = 'item/commandExecution/requestApproval';
    const answer = await this.#asked(method, params, 'waitingOnApproval', begin);
    const decision = answer.result?.decision;
    if (decision === 'cancel') this.#turn.interrupt();
    if (typeof decision === 'object' && decision !== null) return 'acceptForSession';
    return decision ?? `failed: ${answer.error?.message}`;
  }

  /** A request to the host and its answer, with the thread's status around it. */
  async #asked(method, params, flag, begin = async () => undefined) {
    const turn = this.#turn;
    await turn.status({ type: 'active', activeFlags: [flag] });
    await begin();
    const { id, answered } = turn.thread.server.expectAnswer();
    turn.asked = id;
    await turn.lines.put({ method, id, params: { threadId: turn.thread.id, turnId: turn.id, ...params } });
    const answer = await turn.lines.wait(answered);
    turn.asked = undefined;
    await turn.threadNotice('serverRequest/resolved', { requestId: id });
    await turn.status({ type: 'active', activeFlags: [] });
    return answer;
  }
}
