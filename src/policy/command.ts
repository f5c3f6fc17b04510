/**
 * What a shell command runs, as far as that can be said for certain: its simple commands in words. Pure.
 * Everything whose effect depends on more than its words (expansions, substitutions, globs, redirections into files, here-documents, assignments,
 * control flow) is undecidable, and so is what does not parse: nobody's rule covers it, and a person is asked.
 */
import { parse, type Command, type Redirection, type Statement, type Word } from 'unbash';

/** The words of one simple command, quotes taken off. */
export type SimpleCommand = readonly [string, ...string[]];

/** Longer ones are nobody's routine. */
const MOST_LENGTH = 20_000;

/** Undefined: it cannot be said what it runs. */
export function simpleCommands(script: string): readonly SimpleCommand[] | undefined {
  if (script.length > MOST_LENGTH || script.includes('\0')) return undefined;
  const parsed = parse(script);
  if ((parsed.errors ?? []).length > 0) return undefined;
  const found: SimpleCommand[] = [];
  for (const { command } of parsed.commands) if (!collect(command, found)) return undefined;
  return found.length === 0 ? undefined : found;
}

/** Whether it is all plain; then its commands are among the found ones. */
function collect(node: Statement['command'], found: SimpleCommand[]): boolean {
  if (node.type === 'Command') return collectOne(node, found);
  if (node.type === 'AndOr') return node.commands.every((one) => collect(one, found));
  return (
    node.type === 'Pipeline' &&
    node.prefixes.length === 0 &&
    node.commands.every((one) => collect(one, found))
  );
}

function collectOne(node: Command, found: SimpleCommand[]): boolean {
  const name = node.name === undefined ? undefined : plain(node.name);
  if (name === undefined || node.prefix.length > 0 || !node.redirects.every(harmless)) return false;
  const words: string[] = [];
  for (const arg of node.args) {
    const word = arg.type === 'Word' ? plain(arg) : undefined;
    if (word === undefined) return false;
    words.push(word);
  }
  found.push([name, ...words]);
  return true;
}

/** A word that is the same whoever runs it; undefined for every expansion, a leading tilde included. */
function plain(word: Word): string | undefined {
  const { value, parts = [] } = word;
  if (parts.length === 0) return value.startsWith('~') ? undefined : value;
  const literal = parts.every(
    (part) =>
      part.type === 'Literal' ||
      part.type === 'SingleQuoted' ||
      (part.type === 'DoubleQuoted' && part.parts.every((inner) => inner.type === 'Literal')),
  );
  return literal && !word.text.startsWith('~') ? value : undefined;
}

/** Into nothing, or one descriptor into another. */
function harmless(redirection: Redirection): boolean {
  if (redirection.type !== 'Redirect') return false;
  const target = redirection.target === undefined ? undefined : plain(redirection.target);
  if (redirection.operator === '>&') return target === '1' || target === '2';
  return target === '/dev/null';
}
