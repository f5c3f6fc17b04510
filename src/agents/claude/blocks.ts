/**
 * Text and thoughts: deltas are a preview, the `assistant` line (one block each, ahead of that block's stop) is the truth.
 * Owns the names of blocks and which are open. A retry says everything again under a new `message_start`: what was open is void then. Pure.
 */
import { isRecord, recordOf, stringOf, type Line } from './messages.ts';
import { BOUNDS, change, type OpenBlock, type Work } from './state.ts';

type Kind = OpenBlock['kind'];

interface Part {
  readonly parent: string;
  readonly index: number;
  readonly kind: Kind;
}

/** One more piece of a block. */
export function preview(work: Work, part: Part, text: string): void {
  const open = work.state.open.find((one) => one.parent === part.parent);
  const same = open?.index === part.index && open.kind === part.kind;
  const block = same ? open.block : openBlock(work, part);
  work.signals.push({ kind: part.kind, block, text, ...parentField(part.parent) });
}

/** A whole block: the truth of the open one, or one that was never previewed. */
export function complete(work: Work, part: Omit<Part, 'index'>, text: string): void {
  const { parent, kind } = part;
  const open = work.state.open.find((one) => one.parent === parent && one.kind === kind);
  if (open === undefined && text === '') return;
  const block = open?.block ?? newName(work);
  const said = work.state.said || (kind === 'text' && parent === '');
  change(work, { said, open: work.state.open.filter((one) => one !== open) });
  work.signals.push({ kind: `${kind}-done`, block, text, ...parentField(parent) });
}

/** What is open will not be completed: all of it, or that of one who speaks. */
export function voidBlocks(work: Work, reason: string, parent?: string): void {
  const gone = work.state.open.filter((one) => parent === undefined || one.parent === parent);
  if (gone.length === 0) return;
  change(work, { open: work.state.open.filter((one) => !gone.includes(one)) });
  for (const { kind, block } of gone)
    if (kind === 'text') work.signals.push({ kind: 'text-void', block, reason });
}

/** One speaks in one block at a time; beyond the bound the oldest is given up. */
function openBlock(work: Work, part: Part): string {
  voidBlocks(work, 'superseded', part.parent);
  const [oldest] = work.state.open;
  if (oldest !== undefined && work.state.open.length >= BOUNDS.blocks)
    voidBlocks(work, 'superseded', oldest.parent);
  const block = newName(work);
  change(work, { open: [...work.state.open, { ...part, parent: part.parent.slice(0, BOUNDS.id), block }] });
  return block;
}

function newName(work: Work): string {
  const blocks = work.state.blocks + 1;
  change(work, { blocks });
  return `b${String(blocks)}`;
}

export function parentField(parent: string): { parent?: string } {
  return parent === '' ? {} : { parent };
}

/** The text of a delta, with its kind; undefined for deltas without any (signatures, pieces of a tool's input). */
export function deltaOf(event: Line): { readonly kind: Kind; readonly text: string } | undefined {
  const delta = event['delta'];
  if (!isRecord(delta)) return undefined;
  const text = stringOf(delta['text']);
  if (delta['type'] === 'text_delta' && text !== undefined) return { kind: 'text', text };
  const thinking = stringOf(delta['thinking']);
  if (delta['type'] === 'thinking_delta' && thinking !== undefined)
    return { kind: 'reasoning', text: thinking };
  return undefined;
}

/** The model that speaks; undefined where the CLI itself does. */
export function modelOf(message: unknown): string | undefined {
  const model = stringOf(recordOf(message)['model']);
  return model === '<synthetic>' ? undefined : model?.slice(0, BOUNDS.id);
}
