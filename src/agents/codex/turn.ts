/**
 * The life of a turn: handed over, bound to Codex's own id, seen to run, stopped, ended.
 * Owns which turn of Codex is ours: only what the answer to `turn/start`, or our own message in it, names. A turn that was running before
 * (replayed after a resume) is not ours whatever it reports. Knows nothing of items' contents. Pure.
 */
import { uuidOf } from '../../protocol/index.ts';
import type { TurnOutcome } from '../../session/ports.ts';
import { failureOf } from './errors.ts';
import { closeItems, messageCompleted } from './items.ts';
import type { Turn } from './messages.ts';
import { writeSteers } from './prompts.ts';
import {
  BOUNDS,
  changeTurn,
  cutText,
  NEW_TURN,
  pushed,
  write,
  type CodexTurn,
  type Ending,
  type Failure,
  type Work,
} from './state.ts';
import { costsOf } from './usage.ts';

/** The open turn that an event belongs to, now seen to run; undefined for every other turn of Codex. */
export function turnOf(work: Work, codexId: string): number | undefined {
  const index = work.state.turns.findIndex((turn) => turn.id === codexId);
  if (index < 0) return undefined;
  seenRunning(work, index);
  return index;
}

/** `turn/started` may come before the answer to `turn/start`: then it is the prompt that waits for one. With no prompt open the agent woke by itself. */
export function turnStarted(work: Work, codexId: string): void {
  if (turnOf(work, codexId) !== undefined || work.state.past.includes(codexId)) return;
  const waiting = work.state.turns.findIndex((turn) => turn.id === null);
  if (waiting >= 0) {
    changeTurn(work, waiting, { id: codexId });
    seenRunning(work, waiting);
  } else if (work.state.turns.length === 0) {
    const woken = { ...NEW_TURN, id: codexId, acked: true, started: true, received: true };
    work.state = { ...work.state, turns: [woken] };
    work.signals.push({ kind: 'woke' });
  }
}

/** Our own message was seen in a turn of Codex: no doubt whose it is. A message into a running turn cuts what is being said there. */
export function messageSeen(work: Work, codexId: string, clientId: string | undefined): void {
  const index = work.state.turns.findIndex(
    (turn) => turn.turn !== null && clientId !== undefined && uuidOf(turn.turn) === clientId,
  );
  if (index >= 0) bind(work, index, codexId);
  const running = turnOf(work, codexId);
  if (running === undefined) return;
  const open = work.state.turns[running]?.items.some((item) => item.kind === 'text') === true;
  if (open) changeTurn(work, running, { cut: 'steered' });
}

/** The answer to `turn/start`: the prompt runs as this turn of Codex, or was taken into one that runs already (steered). */
export function promptTaken(work: Work, turn: string, codexId: string | undefined): void {
  const index = work.state.turns.findIndex((open) => open.turn === turn);
  if (index < 0) return;
  if (codexId === undefined) received(work, index);
  else bind(work, index, codexId);
}

function bind(work: Work, index: number, codexId: string): void {
  const other = work.state.turns.findIndex((open, at) => at !== index && open.id === codexId);
  if (other >= 0) return steered(work, index, other);
  const turn = work.state.turns[index];
  if (turn?.turn === null || turn === undefined) return;
  if (work.state.past.includes(codexId))
    return promptFailed(work, turn.turn, {
      code: 'agent_error',
      message: 'Codex took the message into a turn that had just ended',
    });
  if (turn.id !== null && turn.id !== codexId) closeItems(work, index, 'not of this turn');
  changeTurn(work, index, { id: codexId, acked: true });
  received(work, index);
  const early = work.state.early.find((ending) => ending.id === codexId);
  work.state = { ...work.state, early: [] };
  if (early !== undefined) finish(work, index, early.ending);
}

/** Codex gave the id of a turn that runs: the prompt is part of that one now and gets no ending of its own from here. */
function steered(work: Work, index: number, into: number): void {
  const turn = work.state.turns[index]?.turn;
  if (turn === null || turn === undefined) return;
  if (work.state.turns[into]?.turn === null) changeTurn(work, into, { turn });
  received(work, index);
  work.signals.push({ kind: 'steer', turn, how: 'taken' });
  work.state = { ...work.state, turns: work.state.turns.filter((_, at) => at !== index) };
}

function received(work: Work, index: number): void {
  const turn = work.state.turns[index];
  if (turn === undefined || turn.received) return;
  changeTurn(work, index, { received: true });
  work.signals.push({ kind: 'receipt', ...(turn.turn === null ? {} : { turn: turn.turn }) });
}

function seenRunning(work: Work, index: number): void {
  const turn = work.state.turns[index];
  if (turn === undefined || turn.started) return;
  changeTurn(work, index, { started: true });
  received(work, index);
  if (work.state.wantInterrupt) interrupt(work);
  else writeSteers(work);
}

/** `turn/completed`. Before it is certain whose turn it is, the ending is kept until the answer to `turn/start` says so. */
export function turnCompleted(work: Work, done: Turn): void {
  const ending = endingOf(done);
  const index = work.state.turns.findIndex((turn) => turn.id === done.id);
  const turn = work.state.turns[index];
  if (turn === undefined) {
    if (work.state.turns.some((open) => open.id === null)) keepEarly(work, done, ending);
    return;
  }
  const last = done.items.findLast((item) => item.type === 'agentMessage' && typeof item.text === 'string');
  const unfinished = turn.items.some((item) => item.kind === 'text' && item.id === last?.id);
  if (done.status === 'completed' && unfinished && last !== undefined)
    messageCompleted(work, { turn: index, item: last.id }, last.text ?? '');
  if (turn.acked) finish(work, index, ending);
  else keepEarly(work, done, ending);
}

function keepEarly(work: Work, done: Turn, ending: Ending): void {
  const last = done.items.findLast((item) => item.type === 'agentMessage' && typeof item.text === 'string');
  const unseen = !work.state.turns.some((turn) => turn.id === done.id);
  const text = unseen && last?.text ? cutText(last.text, BOUNDS.text) : undefined;
  const kept = ending.kind === 'completed' && text !== undefined ? { ...ending, text } : ending;
  work.state = {
    ...work.state,
    early: pushed(work.state.early, { id: done.id.slice(0, BOUNDS.id), ending: kept }, BOUNDS.early),
  };
}

function endingOf(done: Turn): Ending {
  if (done.status === 'completed') return { kind: 'completed' };
  if (done.status === 'interrupted') return { kind: 'interrupted' };
  const error = done.error ?? {
    message: `Codex ended the turn as ${done.status || 'unknown'}`,
    codexErrorInfo: 'other',
  };
  return { kind: 'failed', failure: failureOf(error) };
}

/** The prompt was not taken, or its thread is gone. */
export function promptFailed(work: Work, turn: string, failure: Failure): void {
  const index = work.state.turns.findIndex((open) => open.turn === turn);
  if (index >= 0) finish(work, index, { kind: 'failed', failure });
}

/** Ends a turn, exactly once: what is open in it is closed, what it asked is forgotten (the session takes its requests back itself). */
export function finish(work: Work, index: number, ending: Ending): void {
  const turn = work.state.turns[index];
  if (turn === undefined) return;
  closeItems(work, index, ending.kind === 'completed' ? 'unfinished' : ending.kind);
  const outcome = outcomeOf(turn, ending);
  const { state } = work;
  for (const one of state.waiting) work.signals.push({ kind: 'steer', turn: one, how: 'missed' });
  work.signals.push({
    kind: 'ended',
    ...(turn.turn === null ? {} : { turn: turn.turn }),
    outcome,
    costs: costsOf(state, turn),
  });
  const turns = state.turns.filter((_, at) => at !== index);
  work.state = {
    ...state,
    turns,
    waiting: [],
    past: turn.id === null ? state.past : pushed(state.past, turn.id, BOUNDS.past),
    asks: state.asks.filter((ask) => ask.codexTurn === null || ask.codexTurn !== turn.id),
    wantInterrupt: state.wantInterrupt && turns.length > 0,
  };
  // An interrupt leaves the running command alive as a background terminal.
  if (outcome.kind === 'interrupted') cleanTerminals(work);
}

/** Some failures leave the turn "completed" with nothing said: the error that was not retried tells the truth. */
function outcomeOf(turn: CodexTurn, ending: Ending): TurnOutcome {
  if (ending.kind === 'failed') return { kind: 'failed', ...ending.failure };
  if (ending.kind === 'interrupted') return { kind: 'interrupted' };
  if (turn.failure !== null && !turn.said && ending.text === undefined)
    return { kind: 'failed', ...turn.failure };
  const text = ending.text === undefined ? {} : { text: ending.text };
  return { kind: 'completed', stopReason: 'end_turn', ...text };
}

function cleanTerminals(work: Work): void {
  const { thread } = work.state;
  const id = write(work, 'thread/backgroundTerminals/clean', (id) => ({ id, thread }));
  work.state = {
    ...work.state,
    pending: pushed(work.state.pending, { id, for: 'clean' }, BOUNDS.pending),
  };
}

/**
 * Asks Codex to stop the turn. Before it is seen to run it is refused ("no active turn to interrupt", 5 of 5 times) and the turn runs on:
 * so it waits in the state until then.
 */
export function interrupt(work: Work): void {
  const { turns } = work.state;
  const running = turns.find((turn) => turn.id !== null && turn.started);
  if (turns.length === 0) work.signals.push({ kind: 'interrupt-acknowledged' });
  work.state = { ...work.state, wantInterrupt: turns.length > 0 && running === undefined };
  if (running === undefined || running.id === null) return;
  const codexTurn = running.id;
  const asked = work.state.pending.some((open) => open.for === 'interrupt' && open.codexTurn === codexTurn);
  if (!asked) writeInterrupt(work, { codexTurn, tries: 0 });
}

interface Interrupt {
  /** Our turn, by Codex's id. */
  readonly codexTurn: string;
  /** The turn that Codex says is active, when it is another one. */
  readonly named?: string;
  readonly tries: number;
}

export function writeInterrupt(work: Work, { codexTurn, named, tries }: Interrupt): void {
  const { thread } = work.state;
  const id = write(work, 'turn/interrupt', (id) => ({ id, thread, codexTurn: named ?? codexTurn }));
  work.state = {
    ...work.state,
    pending: pushed(work.state.pending, { id, for: 'interrupt', codexTurn, tries }, BOUNDS.pending),
  };
}
