/**
 * A shell script, taken apart into the simple commands that it is made of.
 * Owns what can be judged by its words. Whatever it does not know for certain becomes a limit (no rule with a `match` allows it); what might run
 * anything at all makes the script opaque as well. Knows no rules. Pure.
 */
import { forEachChild, parse, type Command, type Redirect, type SyntaxNode } from 'unbash';
import { unaccounted } from './account.ts';
import { isHider } from './programs.ts';
import { runsOthers } from './runners.ts';
import type { CommandTarget } from './types.ts';
import { readWord, type ReadWord } from './words.ts';

export interface Script {
  readonly targets: readonly CommandTarget[];
  readonly hidden: readonly CommandTarget[];
  readonly limit: boolean;
  readonly opaque: boolean;
}

/** Longer ones are for people to read. */
const MAX_CHARACTERS = 20_000;
/** More of them are not weighed one by one. */
const MAX_COMMANDS = 500;
/** Scripts within scripts: `bash -c "bash -c …"`. */
const MAX_DEPTH = 4;

/** Characters that shells, terminals and people read differently. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const INVISIBLE = /[\u0080-\u00a0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/;

/** `within`: the script that this one was found in. */
export function readScript(source: string, within?: Findings): Script {
  const found = new Findings(within);
  if (source.length > MAX_CHARACTERS) return NOTHING;
  if (found.depth > MAX_DEPTH || !found.budget.take()) return NOTHING;
  if (CONTROLS.test(source)) return NOTHING;
  try {
    return read(source, found);
  } catch {
    // A parser that gives up (too deep a nesting) has not shown what would run.
    return NOTHING;
  }
}

const NOTHING: Script = { targets: [], hidden: [], limit: true, opaque: true };

/** How much one command may make us look at: scripts in it, and places where a command may begin. */
class Budget {
  #left = 300;

  take(): boolean {
    this.#left -= 1;
    return this.#left >= 0;
  }
}

/** What is found while walking. */
export class Findings {
  readonly targets: CommandTarget[] = [];
  readonly hidden: CommandTarget[] = [];
  limit = false;
  opaque = false;
  readonly depth: number;
  readonly budget: Budget;

  constructor(within: Findings | undefined) {
    this.depth = within === undefined ? 0 : within.depth + 1;
    this.budget = within?.budget ?? new Budget();
  }

  /** No rule with a `match` can allow this. */
  limits(): void {
    this.limit = true;
  }

  /** What would run is not known. */
  unreadable(): void {
    this.limits();
    this.hides();
  }

  /** Its words may stand for any command. */
  hides(): void {
    this.opaque = true;
  }
}

function read(source: string, found: Findings): Script {
  const script = parse(source);
  visit(script, found, false);
  if (INVISIBLE.test(source)) found.limits();
  if (unaccounted(source, script, found.limit)) found.unreadable();
  // Shells put lines together before they read them (`$\⏎(rm x)`); only between words is it sure that nothing comes of it. And bash keeps a
  // backslash at the very end, zsh does not.
  if (/\S\\\n|\\$/.test(source)) found.unreadable();
  if (found.targets.length === 0) found.limits();
  const { targets, hidden, limit, opaque } = found;
  return { targets, hidden, limit, opaque };
}

/** Made of what is in them and nothing else. Whatever is not listed here or below is a limit, also what later versions of the parser may add. */
const TRANSPARENT: ReadonlySet<SyntaxNode['type']> = new Set([
  'Script',
  'Statement',
  'CompoundList',
  'Pipeline',
  'AndOr',
  'Command',
  'FileDescriptor',
  'Literal',
  'Glob',
  'SingleQuoted',
  'DoubleQuoted',
  'BraceExpansion',
]);

/** Inside of what only running it would tell (`hidden`), commands are found to be denied, never to be allowed. */
function visit(node: SyntaxNode, found: Findings, hidden: boolean): void {
  if (node.type === 'Script' && 'errors' in node && (node.errors?.length ?? 0) > 0) found.unreadable();
  if (node.type === 'Command') simple(node, found, hidden);
  if (hasScript(node) && node.script === undefined) found.unreadable();
  const plain = isPlain(node);
  if (!plain) found.limits();
  forEachChild(node, (child) => visit(child, found, hidden || !plain));
}

type Substitution = Extract<SyntaxNode, { readonly script: unknown }>;

function hasScript(node: SyntaxNode): node is Substitution {
  return 'script' in node;
}

function isPlain(node: SyntaxNode): boolean {
  if (node.type === 'Word') return readWord(node).sort !== 'live';
  if (node.type === 'Redirect') return harmless(node);
  return TRANSPARENT.has(node.type);
}

/** Where nothing is written and nothing is read: the other stream, or nowhere. */
function harmless(node: Redirect): boolean {
  if (node.target === undefined) return false;
  if (node.descriptor !== undefined && node.descriptor.type !== 'FileDescriptor') return false;
  const target = readWord(node.target);
  if (!target.fixed) return false;
  if (node.operator === '>&') return /^[12]$/.test(target.text);
  return target.text === '/dev/null' && ['>', '>>', '&>', '<'].includes(node.operator);
}

function simple(node: Command, found: Findings, hidden: boolean): void {
  // Only a redirection: nothing in bash, `cat` in zsh.
  if (node.name === undefined) return found.limits();
  const words: ReadWord[] = [readWord(node.name)];
  for (const argument of node.args)
    // `a=b` behind `export`: the word of an assignment as it stands. It is a limit already.
    words.push(
      argument.type === 'Word' ? readWord(argument) : { sort: 'live', fixed: false, text: argument.text },
    );
  addCommand(words, found, hidden);
}

function addCommand(words: readonly ReadWord[], found: Findings, hidden: boolean): void {
  const program = words[0];
  if (program === undefined) return;
  if (found.targets.length + found.hidden.length >= MAX_COMMANDS) return found.unreadable();
  if (!program.fixed) found.unreadable();
  if (program.text === '') found.limits();
  if (isHider(program.text)) found.hides();
  const runs = runsOthers(words, found, readScript);
  (hidden ? found.hidden : found.targets).push({ kind: 'command', words, guess: false, runs });
}
