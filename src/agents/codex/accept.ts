/**
 * What the session wants said: a prompt, an interrupt, other settings, an answer to a request of the agent.
 * Owns when it can be said. Knows nothing of how it is written. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { answerAsk } from './requests.ts';
import { begin, BOUNDS, NEW_TURN, step, type CodexState, type Work } from './state.ts';
import { writePrompt, writeSteers } from './prompts.ts';
import { tell } from './tell.ts';
import { interrupt } from './turn.ts';

export function accept(state: CodexState, command: AgentCommand, ids: RequestIds): Step<CodexState> {
  const work = begin(state, ids);
  switch (command.kind) {
    case 'prompt':
      prompt(work, command.turn);
      break;
    case 'steer':
      steer(work, command.turn);
      break;
    case 'unsteer':
      work.state = { ...work.state, waiting: work.state.waiting.filter((turn) => turn !== command.turn) };
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
  const { turns, waiting } = work.state;
  if (turns.length + waiting.length >= BOUNDS.turns) {
    const message = 'Too many messages were handed to Codex before it took the first one';
    work.signals.push({
      kind: 'ended',
      turn,
      outcome: { kind: 'failed', code: 'agent_error', message },
      costs: {},
    });
    return;
  }
  work.state = { ...work.state, turns: [...turns, { ...NEW_TURN, turn }] };
  writePrompt(work, turn, 0);
}

/** A `turn/start` while a turn runs is taken into it; before it runs there is nothing to be taken into. */
function steer(work: Work, turn: string): void {
  const { turns, waiting } = work.state;
  if (turns.length === 0 || turns.length + waiting.length >= BOUNDS.turns) {
    work.signals.push({ kind: 'steer', turn, how: 'missed' });
    return;
  }
  work.state = { ...work.state, waiting: [...waiting, turn] };
  writeSteers(work);
}
