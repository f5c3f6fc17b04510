/**
 * Answers to our own requests, told apart by the id we gave.
 * Owns what is tried again and how often. An answer to an unknown id is dropped, as Codex drops ours. Pure.
 */
import { OVERLOADED, refusalOf } from './errors.ts';
import { isRecord, RpcError, TurnAnswer, type Envelope } from './messages.ts';
import { changeTurn, type Pending, type Work } from './state.ts';
import { writePrompt } from './prompts.ts';
import { settingsAnswered } from './tell.ts';
import { interrupt, promptFailed, promptTaken, writeInterrupt } from './turn.ts';

/** A server that is busy is asked again at once, this often: there is no clock here to wait by. */
const TRIES = 3;

export function translateResponse(work: Work, message: Envelope): void {
  const pending = work.state.pending.find((open) => open.id === message.id);
  if (pending === undefined) return;
  work.state = { ...work.state, pending: work.state.pending.filter((open) => open !== pending) };
  const error = isRecord(message.error) ? RpcError.parse(message.error) : undefined;
  switch (pending.for) {
    case 'clean':
      return;
    case 'settings':
      return settingsAnswered(work, error);
    case 'prompt':
      return promptAnswered(work, pending, { error, result: message.result });
    case 'interrupt':
      return error === undefined
        ? void work.signals.push({ kind: 'interrupt-acknowledged' })
        : interruptRefused(work, pending, error);
  }
}

type Prompt = Extract<Pending, { for: 'prompt' }>;
type Interrupt = Extract<Pending, { for: 'interrupt' }>;

interface Answer {
  readonly error: RpcError | undefined;
  readonly result: unknown;
}

function promptAnswered(work: Work, pending: Prompt, answer: Answer): void {
  const { error } = answer;
  if (error === undefined) {
    const taken = TurnAnswer.safeParse(answer.result);
    return promptTaken(work, pending.turn, taken.success ? taken.data.turn.id : undefined);
  }
  const tries = pending.tries + 1;
  if (error.code === OVERLOADED && tries < TRIES) return writePrompt(work, pending.turn, tries);
  const stopped = work.state.wantInterrupt;
  promptFailed(work, pending.turn, refusalOf(error));
  if (stopped && work.state.turns.length === 0) work.signals.push({ kind: 'interrupt-acknowledged' });
}

const OTHER_TURN = /expected active turn id .* but found `?([\w-]+)`?/;

/**
 * Three ways to be refused: another turn than we believe is active (asked once more, with its id), none is active yet or any more, or the
 * server is busy. A turn is never taken as stopped before Codex says so.
 */
function interruptRefused(work: Work, pending: Interrupt, error: RpcError): void {
  const tries = pending.tries + 1;
  const found = OTHER_TURN.exec(error.message)?.[1];
  const { codexTurn } = pending;
  if (found !== undefined && tries === 1) return writeInterrupt(work, { codexTurn, named: found, tries });
  if (error.code === OVERLOADED && tries < TRIES) return writeInterrupt(work, { codexTurn, tries });
  const index = work.state.turns.findIndex((turn) => turn.id === codexTurn);
  const turn = work.state.turns[index];
  if (turn === undefined) {
    work.signals.push({ kind: 'interrupt-acknowledged' });
    return;
  }
  if (error.message.includes('no active turn') && turn.refused < TRIES) {
    // Remembered again: the next sign of life of the turn sends it.
    changeTurn(work, index, { started: false, refused: turn.refused + 1 });
    return interrupt(work);
  }
  work.signals.push({
    kind: 'notice',
    level: 'warning',
    code: 'interrupt_refused',
    message: `Codex did not take the interrupt: ${error.message}`,
  });
}
