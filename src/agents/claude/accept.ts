/**
 * What the session wants said: a prompt, an interrupt, an answer to a request of Claude.
 * Owns when it can be said. Knows nothing of how it is written. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { answerAsk } from './control.ts';
import { NEW_TURN } from './turn.ts';
import { begin, BOUNDS, change, isWorking, step, write, type ClaudeState, type Work } from './state.ts';

export function accept(state: ClaudeState, command: AgentCommand, ids: RequestIds): Step<ClaudeState> {
  const work = begin(state, ids);
  switch (command.kind) {
    case 'prompt':
      prompt(work, command.turn);
      break;
    case 'interrupt':
      interrupt(work);
      break;
    case 'answer':
      answerAsk(work, command.request, command.answer);
      break;
  }
  return step(work);
}

/** A prompt while a tool runs is taken into the turn; one while text streams runs behind it. */
function prompt(work: Work, turn: string): void {
  const { turns } = work.state;
  if (turns.some((open) => open.turn === turn)) return;
  if (turns.length >= BOUNDS.turns) {
    const message = 'Too many messages were handed to Claude before it took the first one';
    const outcome = { kind: 'failed', code: 'agent_error', message } as const;
    work.signals.push({ kind: 'ended', turn, outcome, costs: {} });
    return;
  }
  const fresh = isWorking(work.state) ? {} : NEW_TURN;
  change(work, { ...fresh, turns: [...turns, { turn, received: false }] });
  write(work, 'prompt', () => ({ turn }));
}

/** Works in every phase of a turn, also right behind its prompt (that turn then starts aborted). Idle, there is nothing to wait for. */
function interrupt(work: Work): void {
  if (!isWorking(work.state)) {
    work.signals.push({ kind: 'interrupt-acknowledged' });
    return;
  }
  change(work, { stopping: true });
  write(work, 'interrupt', (id) => ({ id }));
}
