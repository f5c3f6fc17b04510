/**
 * How Claude Code says what a turn does: messages, content blocks, tools, asks.
 * Owns the order of lines inside a turn and the undoing of what an interrupt leaves open. Knows nothing of stdin and queues.
 */
import { permissionRequest, QUESTIONS } from './claude-asks.mjs';
import { TOKENS_OUT, USAGE } from './claude-lines.mjs';
import { abandonedLines, refusalName, REJECTED, strangeLines } from './claude-mishaps.mjs';
import { notUtf8 } from './turn-out.mjs';

const PIECE = 1024 * 1024;

export class ClaudeVoice {
  spoke = false;
  /** The text of the last message, which the result repeats. */
  text = '';
  stopReason = null;
  /** 'completed', or why the model gave up. */
  failure;
  #turn;
  #message;
  #block;
  #size = 0;
  #tool;

  constructor(turn) {
    this.#turn = turn;
  }

  get inText() {
    return this.#block?.kind === 'text';
  }

  async delta(text) {
    await this.#openBlock('text');
    this.#say(text);
    await this.#event(this.#textDelta(text), { delta: true });
  }

  deltaOverhead() {
    return JSON.stringify(this.#turn.say.event(this.#textDelta(''))).length + 1;
  }

  /** A block every mebibyte, so that the whole text is never held at once. */
  async flood(texts) {
    await this.#openBlock('text');
    for (const text of texts) this.#say(text);
    if (!this.#fallback) {
      await this.#turn.lines.putAll(texts.map((text) => this.#turn.say.event(this.#textDelta(text))));
    }
    if (this.#size > PIECE) await this.#closeBlock();
  }

  async think(chunks) {
    await this.#openBlock('thinking');
    for (const [index, chunk] of chunks.entries()) {
      this.#block.parts.push(chunk);
      await this.#put(
        this.#turn.say.system('thinking_tokens', { estimated_tokens: index + 1, estimated_tokens_delta: 1 }),
      );
      await this.#event(this.#delta({ type: 'thinking_delta', thinking: chunk }), { delta: true });
    }
    await this.#event(this.#delta({ type: 'signature_delta', signature: 'c2lnbmF0dXJl' }));
    await this.#closeBlock();
  }

  /** A tool that needs no permission; `output` may wait until an interrupt ends it. */
  async tool({ name, command, output }) {
    const id = await this.#toolUse(name, { command });
    await this.#closeMessage('tool_use');
    if (this.#turn.faults.has('open-tools')) {
      this.#tool = undefined;
      return;
    }
    const content = await output();
    await this.#toolEnded(id, content, false);
  }

  /** What was decided, in words. */
  async ask() {
    const input = { command: 'touch fake-agent', description: 'what the fake agent asks for' };
    const id = await this.#toolUse('Bash', input);
    const answer = await this.#permission(id, 'Bash', input);
    const denied = answer.behavior !== 'allow';
    const said = denied ? (answer.message ?? 'denied') : '(Bash completed with no output)';
    if (denied) this.#turn.denials.push({ tool_name: 'Bash', tool_use_id: id, tool_input: input });
    await this.#toolEnded(id, said, denied);
    if (denied) return `denied: ${said}`;
    const command = answer.updatedInput?.command ?? input.command;
    return `${answer.unasked ? 'not needed' : 'allowed'}: ${command}`;
  }

  async question() {
    const id = await this.#toolUse('AskUserQuestion', QUESTIONS);
    const answer = await this.#permission(id, 'AskUserQuestion', QUESTIONS);
    const answers = answer.updatedInput?.answers;
    const given = answer.behavior === 'allow' ? answers?.['Which color?'] : undefined;
    const said =
      given ?? (answer.behavior === 'allow' ? 'The user did not answer the questions.' : answer.message);
    await this.#toolEnded(id, said, answer.behavior !== 'allow');
    return given ?? `none (${said})`;
  }

  /** The connection to the model is lost in the middle of a message, and the CLI tries again. */
  async cut() {
    const { say } = this.#turn;
    if (this.#block !== undefined)
      await this.#event({ type: 'content_block_stop', index: this.#message.index });
    await this.#put(say.event({ type: 'message_stop' }, { abandoned_blocks: { from_block_index: 0 } }));
    [this.#block, this.#message] = [undefined, undefined];
    await this.#put(
      say.system('api_retry', {
        attempt: 1,
        max_retries: 10,
        retry_delay_ms: 1,
        error_status: null,
        error: 'unknown',
      }),
    );
  }

  /** Lines, events and requests that no version has yet. */
  async strange() {
    for (const line of strangeLines(this.#turn.say)) await this.#put(line);
  }

  /** A delta whose text is not UTF-8. */
  async broken() {
    await this.#openBlock('text');
    this.#say('\uFFFD');
    await this.#turn.lines.put(notUtf8(this.#turn.say.event(this.#textDelta('@@'))));
  }

  /** The model's API refuses for good: an assistant line that the CLI made up, and a result that is an error. */
  async fail(status) {
    const error = refusalName(status);
    this.text = `API Error: ${status} made up by the fake agent`;
    this.failure = { terminal: 'api_error', status };
    this.stopReason = 'stop_sequence';
    await this.#turn.receipt('late');
    const message = {
      ...this.#newMessage(),
      model: '<synthetic>',
      content: [{ type: 'text', text: this.text }],
    };
    await this.#put(
      this.#turn.say.assistant(message, { error, is_api_error_message: true, api_error_status: status }),
    );
  }

  async finish() {
    if (this.#message === undefined) return;
    this.stopReason = 'end_turn';
    await this.#closeMessage('end_turn');
  }

  /** Ends what is open, the way an interrupt does. Returns the turn's `terminal_reason`. */
  async abort() {
    const { say, session } = this.#turn;
    await this.#turn.receipt('late', { ending: true });
    const put = (line) => this.#turn.lines.put(line, { ending: true });
    if (this.#tool !== undefined) {
      await put(say.toolResult(this.#tool, REJECTED, true, { tool_use_result: 'User rejected tool use' }));
      await put(say.interrupted(true));
      this.stopReason = 'tool_use';
      return 'aborted_tools';
    }
    const partial = this.#block?.kind === 'text' ? this.#block.parts.join('') : '';
    if (partial !== '') {
      const content = [{ type: 'text', text: partial }];
      const aborted = session.old ? {} : { aborted: true };
      await put(say.assistant({ ...this.#message.shape, content }, aborted));
    }
    await put(say.interrupted(false));
    if (this.#message !== undefined && !session.old && !this.#fallback) {
      const open = this.#block !== undefined;
      for (const line of abandonedLines(say, { index: this.#message.index, open })) await put(line);
    }
    return 'aborted_streaming';
  }

  get #fallback() {
    return this.#turn.faults.has('fallback');
  }

  #say(text) {
    this.spoke = true;
    this.#block.parts.push(text);
    this.#size += text.length;
  }

  #textDelta(text) {
    return this.#delta({ type: 'text_delta', text });
  }

  #delta(delta) {
    return { type: 'content_block_delta', index: this.#message?.index ?? 0, delta };
  }

  #put(line, options) {
    return this.#turn.lines.put(line, options);
  }

  async #event(event, options) {
    if (!this.#fallback) await this.#put(this.#turn.say.event(event), options);
  }

  #newMessage() {
    const { session, faults, messageIds } = this.#turn;
    session.messages += 1;
    const id = faults.has('repeated-message-ids') ? 'msg_fake_repeated' : session.freshId('msg_fake');
    messageIds.push(id);
    const usage = { ...USAGE, output_tokens: 1 };
    return { id, type: 'message', role: 'assistant', model: session.model, content: [], usage };
  }

  async #openMessage() {
    if (this.#message !== undefined) return;
    const turn = this.#turn;
    const shape = this.#newMessage();
    const first = turn.requests === 0;
    turn.requests += 1;
    turn.session.requests += 1;
    this.#message = { shape, index: 0, first };
    await turn.receipt('early');
    if (this.#fallback) return;
    const start = { ...shape, stop_reason: null, stop_sequence: null };
    const names = first && turn.tracked ? { ...turn.names(), owed_rows: [] } : {};
    await this.#put(turn.say.event({ type: 'message_start', message: start }, { ttft_ms: 1, ...names }));
  }

  async #openBlock(kind) {
    if (this.#block !== undefined && this.#block.kind !== kind) await this.#closeBlock();
    await this.#openMessage();
    if (this.#block !== undefined) return;
    this.#block = { kind, parts: [] };
    this.#size = 0;
    const block =
      kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '', signature: '' };
    await this.#event({ type: 'content_block_start', index: this.#message.index, content_block: block });
  }

  async #closeBlock() {
    if (this.#block === undefined) return;
    const { kind, parts } = this.#block;
    const whole = parts.join('');
    if (kind === 'text') this.text = whole;
    const content =
      kind === 'text'
        ? { type: 'text', text: whole }
        : { type: 'thinking', thinking: whole, signature: 'c2lnbmF0dXJl' };
    await this.#assistant(content);
  }

  /** The finished block, which comes before the stop of its block. */
  async #assistant(content) {
    await this.#turn.receipt('late');
    const names = this.#message.first ? this.#turn.names() : {};
    await this.#put(this.#turn.say.assistant({ ...this.#message.shape, content: [content] }, names));
    await this.#event({ type: 'content_block_stop', index: this.#message.index });
    this.#block = undefined;
    this.#message.index += 1;
  }

  async #closeMessage(stopReason, before = async () => undefined) {
    await this.#closeBlock();
    const usage = { output_tokens: TOKENS_OUT };
    const delta = { stop_reason: stopReason, stop_sequence: null };
    await this.#event({ type: 'message_delta', delta, usage });
    await before();
    await this.#event({ type: 'message_stop' });
    this.#message = undefined;
  }

  async #toolUse(name, input) {
    await this.#closeBlock();
    await this.#openMessage();
    const id = this.#turn.faults.has('repeated-tool-ids')
      ? 'toolu_fake_repeated'
      : this.#turn.session.freshId('toolu_fake');
    const block = { type: 'tool_use', id, name, input: {} };
    const partial = { type: 'input_json_delta', partial_json: JSON.stringify(input) };
    await this.#event({ type: 'content_block_start', index: this.#message.index, content_block: block });
    await this.#event(this.#delta(partial), { delta: true });
    this.#tool = id;
    await this.#assistant({ ...block, input });
    return id;
  }

  async #toolEnded(id, content, isError) {
    const result = isError ? `Error: ${content}` : { stdout: content, stderr: '', interrupted: false };
    await this.#put(this.#turn.say.toolResult(id, content, isError, { tool_use_result: result }));
    this.#tool = undefined;
    await this.#turn.folded();
    await this.#put(this.#turn.status());
  }

  /** Asks the host where it is there to be asked; the answer, or what the CLI decides by itself. */
  async #permission(id, name, input) {
    const { session, say } = this.#turn;
    const free = session.mode === 'bypassPermissions' && name !== 'AskUserQuestion';
    if (!free && session.asksHost) {
      let asked;
      await this.#closeMessage('tool_use', async () => {
        asked = await this.#turn.request(permissionRequest({ id, name, input }));
      });
      return this.#turn.answered(asked);
    }
    await this.#closeMessage('tool_use');
    if (free) return { behavior: 'allow', unasked: true };
    const message = `Claude requested permissions to use ${name}, but you haven't granted it yet.`;
    await this.#put(say.system('permission_denied', { tool_name: name, tool_use_id: id, message }));
    return { behavior: 'deny', message };
  }
}
