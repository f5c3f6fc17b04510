/**
 * What the session wants said: a prompt, an interrupt, an answer to a request of the agent.
 * Owns when it can be said. Knows nothing of how it is written. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { answerAsk } from './requests.ts';
import { begin, BOUNDS, pushed, step, write, type CodexState, type Work } from './state.ts';
import { interrupt, NEW_TURN } from './turn.ts';

export function accept(state: CodexState, command: AgentCommand, ids: RequestIds): Step<CodexState> {
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

/** A prompt while a turn runs is written too: Codex steers the running turn with it. */
function prompt(work: Work, turn: string): void {
  if (work.state.turns.length >= BOUNDS.turns) {
    const message = 'Too many messages were handed to Codex before it took the first one';
    work.signals.push({
      kind: 'ended',
      turn,
      outcome: { kind: 'failed', code: 'agent_error', message },
      costs: {},
    });
    return;
  }
  work.state = { ...work.state, turns: [...work.state.turns, { ...NEW_TURN, turn }] };
  writePrompt(work, turn, 0);
}

export function writePrompt(work: Work, turn: string, tries: number): void {
  const { thread, model, effort, plan } = work.state;
  const id = write(work, 'turn/start', (id) => ({
    id,
    thread,
    turn,
    ...(plan && model !== null ? { plan: { model, effort } } : {}),
  }));
  work.state = {
    ...work.state,
    pending: pushed(work.state.pending, { id, for: 'prompt', turn, tries }, BOUNDS.pending),
  };
}
