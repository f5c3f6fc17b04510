/**
 * What the session wants said: a prompt, an interrupt, other settings, an answer to a request of Claude.
 * Owns when it can be said. Knows nothing of how it is written. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { answerAsk } from './control.ts';
import { tell } from './settings.ts';
import { NEW_TURN, writeSteers } from './turn.ts';
import { begin, BOUNDS, change, isWorking, step, write, type ClaudeState, type Work } from './state.ts';

export function accept(state: ClaudeState, command: AgentCommand, ids: RequestIds): Step<ClaudeState> {
  const work = begin(state, ids);
  switch (command.kind) {
    case 'prompt':
      prompt(work, command.turn);
      break;
    case 'steer':
      steer(work, command.turn);
      break;
    case 'unsteer':
      change(work, { waiting: work.state.waiting.filter((turn) => turn !== command.turn) });
      break;
    case 'interrupt':
      interrupt(work);
      break;
    case 'settings':
      tell(work, command);
      break;
    case 'answer':
      answerAsk(work, command.request, command.answer);
      break;
  }
  return step(work);
}

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
  change(work, { ...fresh, turns: [...turns, { turn, received: false, begun: false }] });
  write(work, 'prompt', () => ({ turn }));
}

function steer(work: Work, turn: string): void {
  const { turns, waiting } = work.state;
  if (!isWorking(work.state) || turns.length + waiting.length >= BOUNDS.turns) {
    work.signals.push({ kind: 'steer', turn, how: 'missed' });
    return;
  }
  change(work, { waiting: [...waiting, turn] });
  writeSteers(work);
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
