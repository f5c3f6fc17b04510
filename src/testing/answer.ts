/**
 * Which answer a request gets: from the test's scenario, else from the words of the last user message, else an echo.
 * Owns: how a script of several steps goes on after tool results. Nothing is kept between requests: the conversation
 * in the request says how far it has come, so a restarted CLI (or fake model) carries on at the right place.
 */
import { blockFor, type Intent, pollFor } from './intents.ts';
import { instanceOf } from './json.ts';
import type { Answer, Block, ModelRequest, Reply, Rule, Scenario, ScenarioFunction } from './script.ts';
import { type Step, stepsOf } from './words.ts';

export type Script = Scenario | ScenarioFunction | undefined;

export function answerTo(request: ModelRequest, script: Script, schema: unknown): Answer {
  const scripted = fromScript(request, script);
  if (scripted !== undefined) return scripted;
  if (request.side !== null) return sideAnswer(request, schema);
  if (request.unprompted) return { text: 'Noted.' };
  return inWords(request);
}

function fromScript(request: ModelRequest, script: Script): Answer | undefined {
  if (script === undefined) return undefined;
  if (typeof script === 'function') return chosen(request, script(request));
  if (request.side !== null) return undefined;
  return chosen(request, script.rules.find((rule) => applies(rule, request))?.reply);
}

function applies({ when }: Rule, request: ModelRequest): boolean {
  if (when === undefined) return true;
  if (typeof when === 'function') return when(request);
  if (typeof when === 'string') return request.lastUserText.toLowerCase().includes(when.toLowerCase());
  return new RegExp(when.source, when.flags.replace(/[gy]/, '')).test(request.lastUserText);
}

/** A list is one reply a tool round. A script that has no more to say closes the turn: it must not ask again for ever. */
function chosen(request: ModelRequest, reply: Reply | readonly Reply[] | undefined): Answer | undefined {
  if (reply === undefined) return undefined;
  const replies = typeof reply === 'string' || !isList(reply) ? [reply] : reply;
  const now = replies[request.round];
  if (now === undefined) return { text: closing(request) };
  return typeof now === 'string' ? { text: now } : now;
}

function isList(reply: Reply | readonly Reply[]): reply is readonly Reply[] {
  return Array.isArray(reply);
}

function sideAnswer(request: ModelRequest, schema: unknown): Answer {
  if (request.side === 'compaction') {
    const kept = remembered(request).map((what) => `remember: ${what}`);
    return { text: `<summary>\n${['A conversation with the fake model.', ...kept].join('\n')}\n</summary>` };
  }
  return { text: schema === undefined ? 'Fake model' : JSON.stringify(instanceOf(schema)) };
}

function inWords(request: ModelRequest): Answer {
  const steps = stepsOf(request.lastUserText);
  if (steps.length === 0 && request.round === 0) return { text: `You said: ${request.lastUserText}` };
  const polls = pollFor(request.toolResults, request);
  if (polls.length > 0) return { blocks: polls };
  return compose(segmentOf(steps, request.round), request);
}

/** The steps of this tool round: from behind the tools of the round before, up to and with the next ones. */
function segmentOf(steps: readonly Step[], round: number): readonly Step[] {
  let segment: Step[] = [];
  const segments = [segment];
  for (const step of steps) {
    segment.push(step);
    if (step.kind === 'tools') segments.push((segment = []));
  }
  return segments[round] ?? [];
}

function compose(steps: readonly Step[], request: ModelRequest): Answer {
  const blocks: Block[] = [];
  let answer: Answer = {};
  for (const step of steps) {
    switch (step.kind) {
      case 'block':
        blocks.push(step.block);
        break;
      case 'tools':
        blocks.push(...step.intents.map((intent: Intent) => blockFor(intent, request)));
        break;
      case 'fail':
        answer = { ...answer, fail: step.failure };
        break;
      case 'hold-headers':
        answer = { ...answer, holdHeaders: step.gate };
        break;
      case 'no-headers':
        answer = { ...answer, noHeaders: step.strikes };
        break;
      case 'usage':
        answer = { ...answer, usage: step.usage };
        break;
      case 'recall':
        blocks.push({ text: recollection(request) });
        break;
    }
  }
  return { ...answer, blocks: blocks.some(speaks) ? blocks : withWords(blocks, request) };
}

function speaks(block: Block): boolean {
  return 'text' in block || 'bytes' in block || 'tool' in block;
}

/** An answer has text: half before a cut (a preview that the caller must throw away), else at the end. */
function withWords(blocks: readonly Block[], request: ModelRequest): Block[] {
  const cut = blocks.findIndex((block) => 'cut' in block);
  if (cut === -1) return [...blocks, { text: closing(request) }];
  return [
    ...blocks.slice(0, cut),
    { text: 'Half of an answer, ' },
    ...blocks.slice(cut),
    { text: 'and the other half.' },
  ];
}

/** The end of a turn that its script does not end. Quotes the tools, so that a person sees that they ran. */
function closing(request: ModelRequest): string {
  const quotes = request.toolResults.map(
    ({ text, failed }) => `The tool ${failed ? 'failed' : 'answered'}: ${short(text.trim())}`,
  );
  return quotes.length === 0 ? 'Done.' : quotes.join('\n');
}

function short(text: string): string {
  return text.length <= MOST_QUOTED ? text : `${text.slice(0, MOST_QUOTED)} … (${text.length} characters)`;
}

const MOST_QUOTED = 2000;

function recollection(request: ModelRequest): string {
  const kept = remembered(request);
  return kept.length === 0 ? 'I remember nothing.' : `You told me: ${kept.join('; ')}`;
}

/** Everything said with `remember:` in the conversation, summaries of compacted parts included. */
function remembered(request: ModelRequest): string[] {
  const kept = request.userTexts.flatMap((text) =>
    [...text.matchAll(/^remember:\s*(.+)$/gim)].map((match) => match[1] ?? ''),
  );
  return [...new Set(kept)];
}
