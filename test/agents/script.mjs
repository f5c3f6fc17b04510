/**
 * The words that a fake agent understands: what a prompt asks for, and which faults are switched on. One grammar for both agents.
 * Pure: text in, plain data out. Knows nothing of either protocol. Manual: README.md beside this file.
 */

/** `{steps, faults}` of a prompt. A prompt without any directive is echoed. */
export function parsePrompt(text) {
  const steps = [];
  const faults = [];
  for (const part of text.split('\n').flatMap((line) => line.split(/\s+then\s+/i))) {
    const words = part.trim();
    const listed = faultsIn(words);
    if (listed.length > 0) faults.push(...listed);
    else steps.push(...stepOf(words));
  }
  if (steps.length === 0) steps.push({ kind: 'say', text: faults.length > 0 ? 'done' : `echo: ${text}` });
  return { steps, faults };
}

/** @type {[RegExp, (parts: string[]) => object][]} */
const DIRECTIVES = [
  [/^say\s+(.+)$/is, ([text]) => ({ kind: 'say', text })],
  [/^stream\s+(\d+)\s+words?\s+(\d+)\s*ms$/i, ([words, ms]) => ({ kind: 'stream', words: +words, ms: +ms })],
  [
    /^flood\s+(\d+)\s+lines?\s+of\s+(\d+)\s+bytes?$/i,
    ([lines, bytes]) => ({ kind: 'flood', lines: +lines, bytes: +bytes }),
  ],
  [/^line\s+(\d+(?:\.\d+)?)(?:\s*MB)?$/i, ([mb]) => ({ kind: 'line', bytes: megabytes(mb) })],
  [/^tool\s+(\S+)$/i, ([name]) => ({ kind: 'tool', name })],
  [/^tool-hang$/i, () => ({ kind: 'tool-hang' })],
  [/^tool-until\s+(\S+)$/i, ([file]) => ({ kind: 'tool-until', file })],
  [/^ask$/i, () => ({ kind: 'ask' })],
  [/^question$/i, () => ({ kind: 'question' })],
  [/^hold\s+(\S+)$/i, ([file]) => ({ kind: 'hold', file })],
  [/^background\s+(\S+)$/i, ([file]) => ({ kind: 'background', file })],
  [/^recall$/i, () => ({ kind: 'recall' })],
  [/^think$/i, () => ({ kind: 'think' })],
  [/^child$/i, () => ({ kind: 'child' })],
  [/^grandchild-holds-stdout$/i, () => ({ kind: 'grandchild-holds-stdout' })],
  [/^memory\s+(\d+)(?:\s*MB)?$/i, ([mb]) => ({ kind: 'memory', bytes: megabytes(mb) })],
];

function stepOf(words) {
  for (const [pattern, step] of DIRECTIVES) {
    const match = pattern.exec(words);
    if (match !== null) return [step(match.slice(1))];
  }
  return [];
}

export function megabytes(text) {
  return Math.round(Number(text) * 1024 * 1024);
}

/** Faults of one turn, whether they stand in the prompt or in FAKE_FAULT (then: of every turn). */
export const TURN_FAULTS = [
  'die',
  'half',
  'kill-self',
  'hang',
  'hang-soft',
  'no-receipt',
  'late-receipt',
  'second-result',
  'repeated-tool-ids',
  'repeated-message-ids',
  'no-result',
  'retry-stream',
  'fallback',
  'garbage',
  'invalid-utf8',
  'unknown-types',
  'woke',
  'error-result',
  'huge-no-newline',
  'huge-line',
  'exit-clean',
  'result-then-exit',
  'close-stdout',
  'torn-lines',
  'crlf',
  'stderr-flood',
  'open-tools',
  'deaf-interrupt',
  'interrupt-refused',
  'empty-result',
  'bare-result',
  'no-opening',
  'new-session',
  'overloaded',
];

/** Faults of the process: from the prompt that names them on, or from the start. */
export const PROCESS_FAULTS = [
  'ignore-sigterm',
  'ignore-eof',
  'eof-late',
  'result-then-hang',
  'stop-reading-stdin',
];

/** Faults of the start: only in FAKE_FAULT. */
export const START_FAULTS = [
  'old',
  'silent-start',
  'exit-at-start',
  'stderr-then-exit',
  'slow-start',
  'startup-garbage',
  'resume-fails',
  'resume-unknown',
  'settings-refused',
  'deaf-settings',
];

const IN_PROMPTS = new Set([...TURN_FAULTS, ...PROCESS_FAULTS]);
const KNOWN = new Set([...IN_PROMPTS, ...START_FAULTS]);

/** `fault die@3,garbage`, or the bare list when every name in it is a fault. */
function faultsIn(words) {
  const match = /^faults?:?\s+(.+)$/i.exec(words);
  if (match !== null) return parseFaults(match[1]);
  const names = words.split(',').map((one) => one.trim().split(/[@:]/)[0]);
  return names.every((name) => IN_PROMPTS.has(name)) ? parseFaults(words) : [];
}

/**
 * `name`, `name@N` (at line N of a turn) or `name:ARGUMENT`, comma separated. Throws on a name that is not a fault: a misspelt
 * fault would make a test pass for nothing.
 */
export function parseFaults(list) {
  return list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => {
      const match = /^([a-z0-9-]+)(?:@(\d+))?(?::(.+))?$/.exec(one);
      if (match === null || !KNOWN.has(match[1])) throw new Error(`not a fault: ${one}`);
      const [, name, at, argument] = match;
      return { name, at: at === undefined ? undefined : Number(at), argument };
    });
}

/** A set of faults that are on. Those that strike once are asked for with `strikes`, `takes`. */
export class Faults {
  #list;

  constructor(list) {
    this.#list = [...list];
  }

  has(name) {
    return this.#list.some((fault) => fault.name === name);
  }

  argument(name, otherwise) {
    return this.#list.find((fault) => fault.name === name)?.argument ?? otherwise;
  }

  add(list) {
    this.#list.push(...list);
  }

  /** A turn's own: what is on for the process, and what its prompt asked for. */
  with(list) {
    return new Faults([...this.#list, ...list]);
  }

  get empty() {
    return this.#list.length === 0;
  }

  /** Whether `name` strikes at this line: at its `@N`, else at the first delta. Each strikes once. */
  strikes(name, line) {
    const index = this.#list.findIndex(
      (fault) => fault.name === name && (fault.at === undefined ? line.delta : fault.at === line.number),
    );
    if (index >= 0) this.#list.splice(index, 1);
    return index >= 0;
  }

  /** True the first time, false ever after. */
  takes(name) {
    const index = this.#list.findIndex((fault) => fault.name === name);
    if (index >= 0) this.#list.splice(index, 1);
    return index >= 0;
  }
}
