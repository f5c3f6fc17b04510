/**
 * Is every character of a script accounted for? What lies between the words that the parser found may only be blanks, comments and the signs that
 * separate commands. A second look at the parser: what it drops or misreads (a bracket that is never closed) becomes "cannot be parsed" and
 * not "allowed". Pure.
 */
import { forEachChild, type SyntaxNode } from 'unbash';

interface Span {
  readonly pos: number;
  readonly end: number;
}

/** Read as one; what is inside of them is theirs. */
const LEAVES = new Set([
  'Word',
  'Assignment',
  'Redirect',
  'HereString',
  'HereDoc',
  'Time',
  'Negation',
  'TestCommand',
  'ArithmeticCommand',
  // Their keywords lie between their parts. They are limits in any case.
  'If',
  'For',
  'ArithmeticFor',
  'Select',
  'While',
  'Case',
  'Function',
  'Coproc',
]);

/** `grouped`: there are subshells and groups in it, whose brackets are no words. */
export function unaccounted(source: string, script: SyntaxNode, grouped: boolean): boolean {
  const separators = grouped ? GROUPED : PLAIN;
  const spans: Span[] = [];
  const gather = (node: SyntaxNode): void => {
    if (node.type === 'HereDoc') spans.push(node.body, ...(node.closing === undefined ? [] : [node.closing]));
    if (LEAVES.has(node.type)) spans.push({ pos: node.pos, end: node.end });
    else forEachChild(node, gather);
  };
  gather(script);
  spans.sort((one, other) => one.pos - other.pos);
  let at = 0;
  for (const span of spans) {
    if (span.pos > at && !separators.test(source.slice(at, span.pos))) return true;
    at = Math.max(at, span.end);
  }
  return !separators.test(source.slice(at));
}

// A comment goes to the end of its line, in one way only: a second way for each `#` would take time without end.
const PLAIN = /^(?:[\s;&|]|\\\n|#[^\n]*(?:\n|$))*$/;
const GROUPED = /^(?:[\s;&|(){}]|\\\n|#[^\n]*(?:\n|$))*$/;
