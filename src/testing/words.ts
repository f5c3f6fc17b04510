/**
 * The word language: directives in a user message, one a line, that say how the fake model answers.
 * Owns: its grammar (docs/fake-model.md is its manual). Knows nothing of requests, tools' names or wire formats.
 */
import type { Intent } from './intents.ts';
import type { Block, Failure, Strikes, Usage } from './script.ts';

export type Step =
  | { readonly kind: 'block'; readonly block: Block }
  /** Tools asked for in parallel; the answer ends here and goes on when their results have come. */
  | { readonly kind: 'tools'; readonly intents: readonly Intent[] }
  | { readonly kind: 'fail'; readonly failure: Failure }
  | { readonly kind: 'hold-headers'; readonly gate: string }
  | { readonly kind: 'no-headers'; readonly strikes: Strikes }
  | { readonly kind: 'usage'; readonly usage: Usage }
  | { readonly kind: 'recall' };

/** The directives of a text in order; none when nothing in it is a directive (the text is then echoed). */
export function stepsOf(text: string): Step[] {
  return text
    .split('\n')
    .flatMap(partsOf)
    .flatMap((part) => stepOf(part.trim()));
}

/** `A then B` on one line is two directives, but what follows a colon belongs to its directive to the end of the line. */
const LITERAL = /^\s*(?:run|write|read|parallel|remember|ask|tool):/i;
const THEN =
  /\s+then\s+(?=(?:say|stream|count|big|think|wait|fail|cut|silence|hold|context-error|tokens|recall)\b|(?:run|write|read|parallel|remember|ask|tool):)/i;

function partsOf(line: string): string[] {
  if (LITERAL.test(line)) return [line];
  const match = THEN.exec(line);
  if (match === null) return [line];
  return [line.slice(0, match.index), ...partsOf(line.slice(match.index + match[0].length))];
}

type Parts = readonly (string | undefined)[];
const TIMES = String.raw`(?:\s+(once|twice|thrice|\d+ times))?`;
const EVERY = String.raw`(?:\s+(?:every\s+)?(\d+(?:\.\d+)?m?s))?`;

const DIRECTIVES: readonly (readonly [pattern: RegExp, step: (parts: Parts) => Step])[] = [
  [/^say\s+(.+)$/i, ([text]) => ofBlock({ text: unescaped(text) })],
  [
    pattern(String.raw`stream\s+(\d+)\s+words?${EVERY}`),
    ([count, every]) => ofBlock(paced(words(count), every)),
  ],
  [
    pattern(String.raw`count\s+to\s+(\d+)${EVERY}`),
    ([count, every]) => ofBlock(paced(numbers(count), every)),
  ],
  [
    pattern(String.raw`big\s+(\d+(?:\.\d+)?)\s*([kM]?)B(?:\s+(?:in\s+)?(\d+)B(?:\s+deltas)?)?`),
    ([size, unit, chunk]) => ofBlock(big(size, unit, chunk)),
  ],
  [
    /^think\s+(?:about\s+)?(.+)$/i,
    ([about]) => ofBlock({ thinking: `Let me think about ${unescaped(about)}.` }),
  ],
  [pattern(String.raw`wait\s+(\d+(?:\.\d+)?m?s)`), ([time]) => ofBlock({ waitMs: milliseconds(time) })],
  [/^hold\s+(\S+)\s+before\s+headers$/i, ([gate]) => ({ kind: 'hold-headers', gate: gate ?? '' })],
  [/^hold\s+(\S+)$/i, ([gate]) => ofBlock({ hold: gate ?? '' })],
  [pattern(`cut${TIMES}`), ([times]) => ofBlock({ cut: true, ...strikes(times) })],
  [pattern(`silence${TIMES}`), ([times]) => ofBlock({ silence: true, ...strikes(times) })],
  [
    pattern(String.raw`silence\s+without\s+headers${TIMES}`),
    ([times]) => ({ kind: 'no-headers', strikes: strikes(times) }),
  ],
  [pattern(String.raw`fail\s+([45]\d\d)(?:\s+after\s+(\d+)s)?${TIMES}`), failStep],
  [
    pattern(`context-error${TIMES}`),
    ([times]) => ({ kind: 'fail', failure: { status: 400, contextLength: true, ...strikes(times) } }),
  ],
  [
    pattern(String.raw`tokens\s+(\d+)\s+(\d+)`),
    ([input, output]) => ({ kind: 'usage', usage: { input: Number(input), output: Number(output) } }),
  ],
  [pattern('recall'), () => ({ kind: 'recall' })],
  [/^remember:\s*(.+)$/i, ([what]) => ofBlock({ text: `I will remember: ${what}` })],
  [/^run:\s*(.+)$/i, ([command]) => ofTools({ kind: 'run', command: command ?? '' })],
  [/^read:\s*(.+)$/i, ([path]) => ofTools({ kind: 'read', path: path ?? '' })],
  [
    /^write:\s*([^:]+?)\s*:\s?(.*)$/i,
    ([path, content]) => ofTools({ kind: 'write', path: path ?? '', content: unescaped(content) }),
  ],
  [
    /^parallel:\s*(.+)$/i,
    ([all]) => ofTools(...split(all).map((command): Intent => ({ kind: 'run', command }))),
  ],
  [
    /^ask:\s*(.+?\?)\s*(.+)$/i,
    ([question, all]) => ofTools({ kind: 'ask', question: question ?? '', options: split(all) }),
  ],
  [
    /^tool:\s*(\S+)(?:\s+(.+))?$/i,
    ([name, input]) => ofTools({ kind: 'tool', name: name ?? '', input: inputOf(input) }),
  ],
];

function stepOf(line: string): Step[] {
  for (const [pattern, step] of DIRECTIVES) {
    const match = pattern.exec(line);
    if (match !== null) return [step(match.slice(1))];
  }
  return [];
}

function pattern(source: string): RegExp {
  return new RegExp(`^${source}$`, 'i');
}

const ofBlock = (block: Block): Step => ({ kind: 'block', block });
const ofTools = (...intents: Intent[]): Step => ({ kind: 'tools', intents });

function failStep([status, after, times]: Parts): Step {
  const retry = after === undefined ? {} : { retryAfter: Number(after) };
  return { kind: 'fail', failure: { status: Number(status), ...retry, ...strikes(times) } };
}

function strikes(times: string | undefined): Strikes {
  if (times === undefined) return {};
  const named = ['once', 'twice', 'thrice'].indexOf(times.toLowerCase()) + 1;
  return { times: named > 0 ? named : Number.parseInt(times, 10) };
}

function milliseconds(time: string | undefined): number {
  const amount = Number.parseFloat(time ?? '0');
  return time?.toLowerCase().endsWith('ms') === true ? amount : amount * 1000;
}

/** One delta a word when it is paced; the words are all of the same length, so that a chunk is a word. */
function paced(text: string, every: string | undefined): Block {
  return every === undefined
    ? { text }
    : { text, chunk: text.indexOf(' ') + 1 || text.length, delayMs: milliseconds(every) };
}

/** More words than anybody reads; `big` is there for size. */
const MOST_WORDS = 100_000;

function words(count: string | undefined): string {
  const size = Math.min(MOST_WORDS, Number(count));
  return Array.from({ length: size }, (_, index) => `word${String(index + 1).padStart(5, '0')}`).join(' ');
}

function numbers(count: string | undefined): string {
  const size = Math.min(MOST_WORDS, Number(count));
  const width = String(size).length;
  return Array.from({ length: size }, (_, index) => String(index + 1).padStart(width)).join(' ');
}

/** 256 MB: what a string can hold with room to spare on both sides. */
const MOST_BYTES = 256 * 1024 * 1024;

function big(size: string | undefined, unit: string | undefined, chunk: string | undefined): Block {
  const factor = { k: 1024, m: 1024 * 1024 }[unit?.toLowerCase() ?? ''] ?? 1;
  const bytes = Math.min(MOST_BYTES, Math.floor(Number(size) * factor));
  return { bytes, ...(chunk === undefined ? {} : { chunk: Number(chunk) }) };
}

function split(list: string | undefined): string[] {
  return (list ?? '').split('|').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));
}

/** A directive is one line: `\n` in it is a line break, `\t` a tab. */
function unescaped(text: string | undefined): string {
  return (text ?? '').replaceAll(String.raw`\n`, '\n').replaceAll(String.raw`\t`, '\t');
}

function inputOf(text: string | undefined): unknown {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return unescaped(text);
  }
}
