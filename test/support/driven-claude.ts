/** The Claude dialect with its state, driven line by line: the state is read back from JSON at every step, as a takeover would. */
import { claude, type ClaudeState } from '../../src/agents/claude/index.ts';
import { newState } from '../../src/agents/claude/state.ts';
import type { OutgoingWrite, Step } from '../../src/agents/dialect.ts';
import { uuidOf } from '../../src/protocol/index.ts';
import type { AgentCommand, AgentSignal } from '../../src/session/ports.ts';

export const SESSION = '0a3158a2-4d70-4043-903d-62f7334d00d6';
export const TURN = 'trn_0192f0c1000070008000000000000001';
export const NEXT = 'trn_0192f0c1000070008000000000000002';

type Of<K extends AgentSignal['kind']> = Extract<AgentSignal, { kind: K }>;

export class DrivenClaude {
  state: ClaudeState = newState({ session: SESSION, resumed: false });
  signals: AgentSignal[] = [];
  writes: OutgoingWrite[] = [];
  #n = 2_000_000;

  accept(command: AgentCommand): this {
    return this.#take(claude.accept(this.state, command, this.#ids()));
  }

  line(message: object): this {
    return this.raw(JSON.stringify(message));
  }

  raw(line: string): this {
    return this.#take(claude.translate(this.state, line, this.#ids()));
  }

  prompt(turn = TURN): this {
    return this.accept({ kind: 'prompt', turn });
  }

  system(subtype: string, fields: object = {}): this {
    return this.line({ type: 'system', subtype, session_id: SESSION, ...fields });
  }

  lifecycle(state: string, turn = TURN): this {
    return this.line({ type: 'command_lifecycle', command_uuid: uuidOf(turn), state });
  }

  init(fields: object = {}): this {
    return this.system('init', { model: 'claude-opus-5-5', ...fields });
  }

  /** A turn that was taken in by a version that names messages. */
  running(turn = TURN): this {
    return this.prompt(turn).lifecycle('queued', turn).lifecycle('started', turn).init().forget();
  }

  event(event: object, parent: string | null = null): this {
    return this.line({ type: 'stream_event', event, parent_tool_use_id: parent });
  }

  messageStart(parent: string | null = null): this {
    return this.event({ type: 'message_start', message: { model: 'claude-opus-5-5' } }, parent);
  }

  delta(text: string, { index = 0, parent = null as string | null } = {}): this {
    return this.event({ type: 'content_block_delta', index, delta: { type: 'text_delta', text } }, parent);
  }

  assistant(block: object, parent: string | null = null): this {
    const message = { role: 'assistant', model: 'claude-opus-5-5', content: [block] };
    return this.line({ type: 'assistant', message, parent_tool_use_id: parent });
  }

  text(text: string, parent: string | null = null): this {
    return this.assistant({ type: 'text', text }, parent);
  }

  tool(id: string, name: string, input: object = {}): this {
    return this.assistant({ type: 'tool_use', id, name, input });
  }

  returned(id: string, content: unknown, isError = false): this {
    const block = { type: 'tool_result', tool_use_id: id, content, is_error: isError };
    return this.line({ type: 'user', message: { role: 'user', content: [block] }, parent_tool_use_id: null });
  }

  /** The result of a turn, as 2.1.330 says it: with the message it answers. */
  result(fields: object = {}, turn = TURN): this {
    return this.bareResult({
      user_message_uuid: uuidOf(turn),
      user_message_uuids: [uuidOf(turn)],
      ...fields,
    });
  }

  bareResult(fields: object = {}): this {
    return this.line({
      subtype: 'success',
      is_error: false,
      terminal_reason: 'completed',
      num_turns: 1,
      type: 'result',
      ...fields,
    });
  }

  ask(request: string, fields: object = {}): this {
    const asked = { subtype: 'can_use_tool', tool_name: 'Bash', input: { command: 'ls' }, tool_use_id: 't1' };
    return this.line({ type: 'control_request', request_id: request, request: { ...asked, ...fields } });
  }

  /** From here on. */
  forget(): this {
    this.signals = [];
    this.writes = [];
    return this;
  }

  get kinds(): string[] {
    return this.signals.map((signal) => signal.kind);
  }

  of<K extends AgentSignal['kind']>(kind: K): Of<K>[] {
    return this.signals.filter((signal): signal is Of<K> => signal.kind === kind);
  }

  notices(): string[] {
    return this.of('notice').map((notice) => notice.code);
  }

  /** The lines of the writes so far. */
  lines(): unknown[] {
    const context = {
      settings: {
        session: 'ses_1',
        cwd: '/work',
        mode: 'default',
        freshId: SESSION,
        agentOptions: {},
        env: {},
        limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
      },
      input: () => 'hi',
    } as const;
    return this.writes.map((write) => JSON.parse(claude.render(write, context)));
  }

  #ids(): { next(): number } {
    return { next: () => (this.#n += 1) };
  }

  #take(step: Step<ClaudeState>): this {
    this.state = claude.revive(JSON.parse(JSON.stringify(step.state)));
    this.signals.push(...step.signals);
    this.writes.push(...step.writes);
    return this;
  }
}

export const start = (): DrivenClaude => new DrivenClaude();
