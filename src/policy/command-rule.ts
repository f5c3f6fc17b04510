/**
 * The `match` of a rule about commands: `git log *`. Words, separated by blanks; quotes keep a word together and make it literal.
 * `*` alone at the end: any further words, or none. `*` within a word: any characters of that word. `?`: one character. Pure.
 */
import { parse, type Word } from 'unbash';
import { baseName } from './programs.ts';
import type { CommandTarget, CommandWord, Fit } from './types.ts';
import { fitsText, joined, verbatim, wild, type Wild } from './wildcard.ts';

export interface CommandPattern {
  readonly kind: 'command';
  readonly words: readonly Wild[];
  /** The program in small letters, to deny and ask by. */
  readonly program: Wild | undefined;
  /** Ends in ` *`. */
  readonly more: boolean;
  /** No wildcard: one command, as it stands. */
  readonly exact: boolean;
}

export function readCommandPattern(text: string): CommandPattern | { readonly problem: string } {
  const words = wordsOf(text);
  if (typeof words === 'string') return { problem: words };
  const more = words.at(-1)?.text === '*' && words.at(-1)?.plain === false;
  const kept = more ? words.slice(0, -1) : words;
  const program = kept[0] === undefined ? undefined : small(kept[0]);
  return { kind: 'command', words: kept, program, more, exact: !more && kept.every((word) => word.plain) };
}

const ONE_COMMAND = 'names one command: its words, with * for any others; write one rule for each command';

function wordsOf(text: string): Wild[] | string {
  const script = parse(text);
  const [statement, ...others] = script.commands;
  const command = statement?.command;
  if (script.errors !== undefined || others.length > 0 || command?.type !== 'Command') return ONE_COMMAND;
  if (statement?.background === true || command.redirects.length > 0 || command.prefix.length > 0)
    return ONE_COMMAND;
  if (command.name === undefined || /[\n\r#]/.test(text)) return ONE_COMMAND;
  const words: Wild[] = [];
  for (const word of [command.name, ...command.args]) {
    const read = word.type === 'Word' ? patternWord(word) : undefined;
    if (read === undefined)
      return `cannot hold ${word.text}: write the word in quotes, or * where it may be anything`;
    words.push(read);
  }
  return words;
}

/** Undefined for what a shell would expand in a way other than by `*` and `?`. */
function patternWord(word: Word): Wild | undefined {
  if (word.parts === undefined) return word.text === word.value ? wild(word.text) : verbatim(word.value);
  const pieces: Wild[] = [];
  for (const part of word.parts) {
    if (part.type === 'Literal') pieces.push(verbatim(part.value));
    else if (part.type === 'SingleQuoted') pieces.push(verbatim(part.value));
    else if (part.type === 'Glob' && part.kind !== 'bracket') pieces.push(wild(part.text));
    else if (part.type === 'DoubleQuoted')
      for (const child of part.parts) {
        if (child.type !== 'Literal') return undefined;
        pieces.push(verbatim(child.value));
      }
    else return undefined;
  }
  return joined(pieces);
}

/**
 * Allowing wants the program under the very name of the rule, and every word known. Denying and asking also mean `/bin/rm` and `RM` by `rm`, and
 * take a word as it is written where nobody knows what it will become. A command that runs what its words say is allowed by its exact words only.
 */
export function fitsCommand(pattern: CommandPattern, target: CommandTarget, strict: boolean): Fit {
  if (strict && target.runs && !pattern.exact) return 'no';
  const fit = fitsWords(pattern, target.words, strict);
  return fit === 'yes' && target.guess ? 'maybe' : fit;
}

function fitsWords(pattern: CommandPattern, words: readonly CommandWord[], strict: boolean): Fit {
  for (const [at, wanted] of pattern.words.entries()) {
    const word = words[at];
    if (word === undefined) return 'no';
    const fits =
      at === 0 && !strict ? fitsProgram(pattern.program ?? wanted, word.text) : fitsText(wanted, word.text);
    if (word.fixed ? !fits : strict || !fits) return word.fixed ? 'no' : 'maybe';
  }
  if (pattern.more) return 'yes';
  const rest = words.slice(pattern.words.length);
  if (rest.length === 0) return 'yes';
  return rest.some((word) => word.fixed) ? 'no' : 'maybe';
}

/** A name is also meant by any path to it, a path by itself alone. */
function fitsProgram(wanted: Wild, program: string): boolean {
  if (wanted.text.includes('/')) return fitsText(wanted, program.toLowerCase());
  return fitsText(wanted, baseName(program));
}

function small({ text, plain, marks }: Wild): Wild {
  return { text: text.toLowerCase(), plain, marks: marks.map((mark) => mark.toLowerCase()) };
}
