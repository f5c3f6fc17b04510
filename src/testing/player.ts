/**
 * Plays one answer: its order, pace, gates and faults. Knows neither API: a voice says it, a sink carries it.
 */
import { callId } from './conversation.ts';
import type { Gates } from './gates.ts';
import type { Answer, Block, ModelRequest, OfferedTool, Pace, Strikes, Usage } from './script.ts';
import { bulk } from './script.ts';
import type { Sink } from './sink.ts';
import type { Opening, Voice } from './voice.ts';

export interface Stage {
  readonly request: ModelRequest;
  readonly voice: Voice;
  readonly sink: Sink;
  readonly gates: Gates;
  readonly pace: Required<Pace>;
  /** How often this very request has come before: faults with `times` are spent by it. */
  readonly attempt: number;
  readonly unique: string;
}

/** Returns true when the caller got the whole answer, false when the script broke it. */
export async function play(answer: Answer, stage: Stage): Promise<boolean> {
  const { voice, sink, gates } = stage;
  const strikes = strikesFrom(stage.attempt);
  const blocks =
    answer.text === undefined ? (answer.blocks ?? []) : [{ text: answer.text }, ...(answer.blocks ?? [])];
  const usage = answer.usage ?? estimate(stage.request, blocks);
  if (answer.holdHeaders !== undefined) await gates.pass(answer.holdHeaders, sink.gone);
  if (answer.noHeaders !== undefined && strikes(answer.noHeaders)) return sink.silence();
  if (answer.fail !== undefined && strikes(answer.fail)) {
    voice.fail(answer.fail);
    return false;
  }
  voice.begin(usage);
  let calls = 0;
  for (const block of blocks) {
    if ('hold' in block) {
      await sink.flush();
      await gates.pass(block.hold, sink.gone);
    } else if ('waitMs' in block) {
      await sink.wait(block.waitMs);
    } else if ('cut' in block) {
      if (voice.streams && strikes(block)) {
        await sink.cut();
        return false;
      }
    } else if ('silence' in block) {
      if (strikes(block)) await sink.silence();
    } else {
      const opening = openingOf(block, stage, calls);
      if (opening.kind === 'tool') calls += 1;
      await speak(opening, block, stage);
    }
  }
  voice.finish(usage, calls > 0);
  return true;
}

/** Faults are spent in order: an attempt that got past one counts against the next. */
function strikesFrom(attempt: number): (fault: Strikes) => boolean {
  let left = attempt;
  return ({ times }) => {
    if (times === undefined || left < times) return true;
    left -= times;
    return false;
  };
}

type Spoken = Exclude<
  Block,
  | { readonly hold: string }
  | { readonly waitMs: number }
  | { readonly cut: true }
  | { readonly silence: true }
>;

function openingOf(block: Spoken, stage: Stage, calls: number): Opening {
  if ('text' in block) return { kind: 'text', text: block.text };
  if ('bytes' in block) return { kind: 'text', text: bulk(block.bytes) };
  if ('thinking' in block) {
    return {
      kind: 'thinking',
      text: block.thinking,
      signature: block.signature ?? `signature-${stage.unique}`,
    };
  }
  const { request, unique } = stage;
  const tool = offered(request, block.tool);
  const text = typeof block.input === 'string' ? block.input : JSON.stringify(block.input ?? {});
  const id = callId(
    request.api === 'anthropic' ? 'toolu' : 'call',
    block.again === true ? request.round - 1 : request.round,
    `${unique}${calls}`,
  );
  return { kind: 'tool', text, id, tool };
}

/**
 * A tool that was not offered is asked for all the same: models do that, and CLIs must bear it. Codex does not offer the tools of MCP servers
 * (its model searches for them): `mcp__SERVER.TOOL` asks for one in its namespace.
 */
function offered(request: ModelRequest, name: string): OfferedTool {
  const tool = request.tools.find((one) => one.name === name || `${one.namespace}.${one.name}` === name);
  if (tool !== undefined) return tool;
  const [, namespace, own] = /^(mcp__[^.]+)\.(.+)$/.exec(name) ?? [];
  if (request.api === 'openai' && namespace !== undefined && own !== undefined)
    return { name: own, custom: false, namespace };
  return { name, custom: false };
}

async function speak(opening: Opening, block: Spoken, stage: Stage): Promise<void> {
  const { voice, sink } = stage;
  voice.open(opening);
  if (voice.streams) {
    const pace = paceOf(block, stage.pace);
    for (let at = 0; at < opening.text.length;) {
      const end = pieceEnd(opening.text, at + pace.chunk);
      if (at > 0 && pace.delayMs > 0) await sink.wait(pace.delayMs);
      const full = voice.delta(opening.text.slice(at, end));
      if (full !== undefined) await full;
      at = end;
    }
  }
  voice.close();
}

function paceOf(block: Spoken, usual: Required<Pace>): Required<Pace> {
  if ('tool' in block) return { chunk: 1024, delayMs: 0 };
  const chunk = block.chunk ?? ('bytes' in block ? 4096 : usual.chunk);
  return { chunk: Math.max(1, Math.floor(chunk)), delayMs: block.delayMs ?? usual.delayMs };
}

/** Never between the two halves of a surrogate pair: half a character cannot be encoded. */
function pieceEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code <= 0xdbff ? end + 1 : end;
}

/** Four bytes a token, but under the size at which a CLI compacts by itself: that must be asked for (`usage`). */
function estimate(request: ModelRequest, blocks: readonly Block[]): Usage {
  let length = 0;
  for (const block of blocks) {
    if ('text' in block) length += block.text.length;
    else if ('thinking' in block) length += block.thinking.length;
    else if ('bytes' in block) length += block.bytes;
  }
  return {
    input: Math.min(20_000, Math.ceil(request.bytes / 4)),
    output: Math.min(8000, Math.ceil(length / 4) + 1),
  };
}
