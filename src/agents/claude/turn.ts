/**
 * The life of a turn: written, taken in, at work, ended.
 * Owns which line is the receipt of which prompt, and when Claude works unasked. Knows nothing of contents. Pure.
 */
import { uuidOf } from '../../protocol/index.ts';
import type { AgentCosts, TurnOutcome } from '../../session/ports.ts';
import { voidBlocks } from './blocks.ts';
import { namedIn, recordOf, stringOf, type Line } from './messages.ts';
import { change, write, type ClaudeState, type ClaudeTurn, type Work } from './state.ts';

/** Looks for the receipt of a prompt that has none yet, and for its beginning; on most lines there is nothing to look for. */
export function lookForReceipt(work: Work, line: Line): void {
  const waiting = work.state.turns.filter((turn) => !turn.begun);
  if (waiting.length === 0) return;
  const command = line['type'] === 'command_lifecycle' ? stringOf(line['command_uuid']) : undefined;
  const answered = command === undefined ? namedIn(line) : [command];
  const echoed = line['type'] === 'user' ? stringOf(line['uuid']) : undefined;
  const begins = command === undefined || line['state'] !== 'queued';
  for (const open of waiting) {
    const uuid = uuidOf(open.turn);
    const isNamed = answered.includes(uuid);
    if (isNamed && !work.state.names) change(work, { names: true });
    if (isNamed || uuid === echoed) markReceived(work, open, begins);
  }
  if (work.state.names || !opensTurn(line)) return;
  const [first] = work.state.turns;
  if (first !== undefined && !first.received) markReceived(work, first, true);
}

/**
 * In a version that names no message: the first of these behind the write. A result or lifecycle of the turn before is neither, nor is what another
 * model prints about itself.
 */
function opensTurn(line: Line): boolean {
  const command = recordOf(line['message'])['content'];
  if (typeof command === 'string' && command.startsWith('<local-command-stdout>')) return false;
  return line['type'] === 'user' || (line['type'] === 'system' && line['subtype'] === 'init');
}

function markReceived(work: Work, { turn, received }: ClaudeTurn, begun: boolean): void {
  const now = { turn, received: true, begun };
  change(work, { turns: work.state.turns.map((open) => (open.turn === turn ? now : open)) });
  if (!received) work.signals.push({ kind: 'receipt', turn });
}

/** A message that waited was dropped, and gets no result. One that ran has had its result by now. */
export function translateLifecycle(work: Work, line: Line): void {
  if (line['state'] === 'started') return interruptLate(work, line);
  if (line['state'] !== 'cancelled') return;
  const { turns } = work.state;
  const dropped = turns.find(({ turn }) => uuidOf(turn) === line['command_uuid']);
  if (dropped === undefined) return;
  change(work, { turns: turns.filter((open) => open !== dropped) });
  work.signals.push({ kind: 'ended', turn: dropped.turn, outcome: { kind: 'interrupted' }, costs: {} });
}

/** The turn begins that an interrupt was meant for which came too early. */
function interruptLate(work: Work, line: Line): void {
  const [first] = work.state.turns;
  if (work.state.stopping !== 'early' || first === undefined) return;
  if (uuidOf(first.turn) !== line['command_uuid']) return;
  change(work, { stopping: true });
  write(work, 'interrupt', (id) => ({ id }));
}

/**
 * Claude puts something out. With nothing asked it has woken by itself: a background task ended. So it has with prompts that it has not begun, in a version that
 * names what it begins: they came as it had woken, and wait behind that. Not where the first of them is being stopped: the interrupt met what Claude did by itself,
 * and is said again as the message begins.
 */
export function atWork(work: Work): void {
  const { woken, turns, names, stopping } = work.state;
  const asked = turns.length > 0;
  if (woken || turns.some(({ begun }) => begun)) return;
  if (asked && (!names || stopping !== false)) return;
  change(work, { ...(asked ? {} : NEW_TURN), woken: true });
  work.signals.push({ kind: 'woke' });
}

/**
 * Messages for the turn that runs. Claude takes one in only while a tool runs; while text streams it would run behind the turn, and then could
 * not be taken back any more.
 */
export function writeSteers(work: Work): void {
  const { waiting, running, stopping } = work.state;
  if (waiting.length === 0 || running.length === 0 || stopping) return;
  change(work, { waiting: [] });
  for (const turn of waiting) {
    change(work, { turns: [...work.state.turns, { turn, received: false, begun: false }] });
    write(work, 'prompt', () => ({ turn }));
    work.signals.push({ kind: 'steer', turn, how: 'written' });
  }
}

/** What is remembered of the open turn only. */
export const NEW_TURN: Pick<
  ClaudeState,
  'stopping' | 'said' | 'error' | 'tools' | 'running' | 'waiting' | 'denied'
> = {
  stopping: false,
  said: false,
  error: null,
  tools: [],
  running: [],
  waiting: [],
  denied: [],
};

export interface Ended {
  /** Our turn; undefined for one that nobody asked for. */
  readonly turn: string | undefined;
  /** Prompts that were taken into the same turn: they get no ending of their own. */
  readonly with?: readonly string[];
  readonly outcome: TurnOutcome;
  readonly costs: AgentCosts;
}

/** Ends a turn: what is still open in it will not be completed (the session closes its tools). */
export function endTurn(work: Work, ended: Ended): void {
  const { turn, outcome, costs } = ended;
  voidBlocks(work, outcome.kind === 'completed' ? 'unfinished' : outcome.kind);
  for (const one of ended.with ?? []) work.signals.push({ kind: 'steer', turn: one, how: 'taken' });
  for (const one of work.state.waiting) work.signals.push({ kind: 'steer', turn: one, how: 'missed' });
  const settled = [...(ended.with ?? []), ...(turn === undefined ? [] : [turn])];
  const turns = work.state.turns.filter((open) => !settled.includes(open.turn));
  change(work, { ...NEW_TURN, turns, woken: false });
  work.signals.push({ kind: 'ended', ...(turn === undefined ? {} : { turn }), outcome, costs });
}
