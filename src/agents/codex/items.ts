/**
 * Items within a turn: messages, thoughts, tool calls, plans. An item begins, says something bit by bit, and is completed, or never is
 * (steering, a retry, an interrupt and a cut stream all leave it open): then it is closed at the next message or at the turn's end.
 * Owns the names of blocks. Knows nothing of how turns begin and end. Pure.
 */
import { AgentMessage, CollabCall, isRecord, Reasoning, SubAgentActivity, type Item } from './messages.ts';
import { BOUNDS, changeTurn, pushed, type OpenItem, type Work } from './state.ts';
import { toolItem } from './tools.ts';

type BlockKind = 'text' | 'reasoning' | 'raw';

/** Where something is said: the turn by its place in the state, and the item. */
export interface At {
  readonly turn: number;
  readonly item: string;
}

export function itemStarted(work: Work, turn: number, item: Item): void {
  if (item.type === 'agentMessage') voidUncompleted(work, turn);
  else if (toolItem(item.type) !== undefined) toolStarted(work, { turn, item: item.id }, item);
  followChildren(work, item);
}

export function itemCompleted(work: Work, turn: number, item: Item): void {
  const at = { turn, item: item.id };
  followChildren(work, item);
  switch (item.type) {
    case 'agentMessage':
      return messageCompleted(work, at, AgentMessage.parse(item).text);
    case 'reasoning': {
      const { summary, content } = Reasoning.parse(item);
      blockCompleted(work, { ...at, kind: 'reasoning' }, summary.join('\n\n'));
      return blockCompleted(work, { ...at, kind: 'raw' }, content.join('\n\n'));
    }
    case 'plan':
      return planCompleted(work, at, AgentMessage.parse(item).text);
    case 'contextCompaction':
      work.signals.push({ kind: 'compacted', trigger: 'auto' });
      return;
    default:
      return toolItem(item.type) === undefined ? undefined : toolCompleted(work, at, item);
  }
}

/** Adds to a block, which begins with its first words. The hot path: nothing of the state changes once the block is known. */
export function said(work: Work, at: At & { readonly kind: BlockKind }, text: string): void {
  const item = openBlock(work, at);
  if (item === undefined) return;
  if (!item.shown) replaceItem(work, at.turn, { ...item, shown: true });
  work.signals.push({ kind: at.kind === 'text' ? 'text' : 'reasoning', block: item.block, text });
}

/** A new part of a summary of thoughts: an empty line between it and the one before. */
export function partAdded(work: Work, at: At): void {
  const open = find(work, at, 'reasoning');
  if (open?.shown === true) said(work, { ...at, kind: 'reasoning' }, '\n\n');
}

/** Closes what is open at a turn's end: nothing may stay open behind it. */
export function closeItems(work: Work, turn: number, reason: string): void {
  for (const item of work.state.turns[turn]?.items ?? []) {
    if (item.kind === 'tool')
      work.signals.push({ kind: 'tool-done', id: item.id, status: 'cancelled', output: '' });
    else if (item.shown) work.signals.push({ kind: 'text-void', block: item.block, reason });
  }
  changeTurn(work, turn, { items: [] });
}

/** A message that begins while another is open: the other was cut and will not be completed (a retry is a new item). */
function voidUncompleted(work: Work, turn: number): void {
  const open = work.state.turns[turn];
  if (open === undefined) return;
  const reason = open.cut ?? 'superseded';
  const gone = open.items.filter(
    (item) => item.kind === 'text' || (item.kind !== 'tool' && open.cut !== null),
  );
  if (gone.length === 0 && open.cut === null) return;
  for (const item of gone)
    if (item.shown) work.signals.push({ kind: 'text-void', block: item.block, reason });
  changeTurn(work, turn, { items: open.items.filter((item) => !gone.includes(item)), cut: null });
}

export function messageCompleted(work: Work, at: At, text: string): void {
  blockCompleted(work, { ...at, kind: 'text' }, text);
  if (text !== '') changeTurn(work, at.turn, { said: true });
}

function blockCompleted(work: Work, at: At & { readonly kind: BlockKind }, text: string): void {
  const known = find(work, at, at.kind);
  if (known === undefined && text === '') return;
  const item = known ?? openBlock(work, at);
  if (item === undefined) return;
  dropItem(work, at.turn, item);
  const { block } = item;
  if (text !== '')
    work.signals.push({ kind: at.kind === 'text' ? 'text-done' : 'reasoning-done', block, text });
  else if (item.shown) work.signals.push({ kind: 'text-void', block, reason: 'empty' });
}

/** In plan mode Codex takes the plan out of the message, so it is both: a plan to show and a message to read. */
function planCompleted(work: Work, at: At, text: string): void {
  if (text === '') return;
  work.signals.push({ kind: 'plan', entries: [{ text, status: 'proposed' }] });
  messageCompleted(work, at, text);
}

function toolStarted(work: Work, at: At, item: Item): void {
  const call = toolItem(item.type)?.call(item);
  if (call === undefined) return;
  const { diff, paths, ...rest } = call;
  work.signals.push({ kind: 'tool', id: at.item, ...rest });
  addItem(work, at.turn, {
    id: keyOf(at.item),
    kind: 'tool',
    block: '',
    shown: true,
    ...(diff === undefined ? {} : { diff }),
    ...(paths === undefined || !keepable(paths) ? {} : { paths: [...paths] }),
  });
}

function toolCompleted(work: Work, at: At, item: Item): void {
  const reader = toolItem(item.type);
  if (reader === undefined) return;
  const open = find(work, at, 'tool');
  if (open === undefined) {
    const { diff: _, paths: __, ...call } = reader.call(item);
    work.signals.push({ kind: 'tool', id: at.item, ...call });
  } else dropItem(work, at.turn, open);
  work.signals.push({ kind: 'tool-done', id: at.item, ...reader.result(item) });
}

/** Threads of subagents: named by the call that starts them, or by what they do. */
function followChildren(work: Work, item: Item): void {
  if (item.type === 'subAgentActivity') {
    const activity = SubAgentActivity.safeParse(item);
    if (activity.success) adopt(work, activity.data.agentThreadId);
  } else if (item.type === 'collabAgentToolCall')
    for (const thread of CollabCall.parse(item).receiverThreadIds) adopt(work, thread);
}

/** Remembers a thread of a subagent: what it asks for is asked of this session. */
export function adopt(work: Work, thread: string): void {
  const { children } = work.state;
  if (thread === work.state.thread || thread.length > BOUNDS.id || children.includes(thread)) return;
  work.state = { ...work.state, children: pushed(children, thread, BOUNDS.children) };
}

/** What a file change that is asked about would do, and to which files. */
export function changeOf(work: Work, itemId: string): Pick<OpenItem, 'diff' | 'paths'> {
  const key = keyOf(itemId);
  for (const turn of work.state.turns)
    for (const item of turn.items) if (item.id === key && item.diff !== undefined) return item;
  return {};
}

/** More or longer ones are not kept: then nobody's rule covers the change. */
function keepable(paths: readonly string[]): boolean {
  return paths.length <= BOUNDS.paths && paths.every((path) => path.length <= BOUNDS.path);
}

function openBlock(work: Work, at: At & { readonly kind: BlockKind }): OpenItem | undefined {
  const known = find(work, at, at.kind);
  if (known !== undefined || work.state.turns[at.turn] === undefined) return known;
  const blocks = work.state.blocks + 1;
  work.state = { ...work.state, blocks };
  const item: OpenItem = { id: keyOf(at.item), kind: at.kind, block: `b${blocks}`, shown: false };
  addItem(work, at.turn, item);
  return item;
}

function find(work: Work, at: At, kind: OpenItem['kind']): OpenItem | undefined {
  const key = keyOf(at.item);
  return work.state.turns[at.turn]?.items.find((item) => item.id === key && item.kind === kind);
}

function addItem(work: Work, turn: number, item: OpenItem): void {
  const items = pushed(work.state.turns[turn]?.items ?? [], item, BOUNDS.items);
  changeTurn(work, turn, { items: item.diff === undefined ? items : withFewDiffs(items) });
}

function withFewDiffs(items: readonly OpenItem[]): OpenItem[] {
  const holders = items.filter((item) => item.diff !== undefined);
  const spent = new Set(holders.slice(0, Math.max(0, holders.length - BOUNDS.diffs)));
  return items.map((item) => {
    if (!spent.has(item)) return item;
    const { diff: _, paths: __, ...rest } = item;
    return rest;
  });
}

function replaceItem(work: Work, turn: number, item: OpenItem): void {
  const items = (work.state.turns[turn]?.items ?? []).map((open) =>
    open.id === item.id && open.kind === item.kind ? item : open,
  );
  changeTurn(work, turn, { items });
}

function dropItem(work: Work, turn: number, item: OpenItem): void {
  const items = work.state.turns[turn]?.items ?? [];
  changeTurn(work, turn, {
    items: items.filter((open) => open.id !== item.id || open.kind !== item.kind),
  });
}

/** Ids come from the model and are bounded where they are kept. */
function keyOf(id: string): string {
  return id.slice(0, BOUNDS.id);
}

/** A bit of output of a tool that is open. */
export function toolOutput(work: Work, at: At, text: string): void {
  if (find(work, at, 'tool') !== undefined) work.signals.push({ kind: 'tool-output', id: at.item, text });
}

/** `item.params.item`, when the notification is about one. */
export function itemOf(params: unknown): Item | undefined {
  const item = isRecord(params) ? params['item'] : undefined;
  if (!isRecord(item)) return undefined;
  const { type, id } = item;
  return typeof type === 'string' && typeof id === 'string' && id !== '' ? { ...item, type, id } : undefined;
}
