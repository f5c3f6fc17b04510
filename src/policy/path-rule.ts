/**
 * The `match` of a rule about files: `inside`, `outside`, `src/**`, `/var/log/*.log`. Relative ones begin at the workspace's root and never leave it.
 * `*` and `?` stay within a name, `**` alone between slashes is any number of folders; names that begin with a dot are like any other. Pure.
 */
import type { Fit, PathTarget, PlacedPath } from './types.ts';
import { fitsSequence, fitsText, wild, type Tests, type Wild } from './wildcard.ts';

interface GlobPattern {
  readonly kind: 'path';
  readonly where: 'glob';
  readonly absolute: boolean;
  /** One for each choice of its braces. */
  readonly choices: readonly (readonly Wild[])[];
  /** The names that stand in it without a wildcard, in small letters. */
  readonly names: ReadonlySet<string>;
}

export type PathPattern =
  | { readonly kind: 'path'; readonly where: 'inside' }
  | { readonly kind: 'path'; readonly where: 'outside' }
  | GlobPattern;

export function readPathPattern(text: string): PathPattern | { readonly problem: string } {
  if (text === 'inside' || text === 'outside') return { kind: 'path', where: text };
  const [absolute, choices] = [text.startsWith('/'), choicesOf(text)];
  if (choices === undefined) return { problem: 'has braces that are none: {a,b} is a or b' };
  const read: Wild[][] = [];
  for (const choice of choices) {
    const segments = segmentsOf(choice);
    if ('problem' in segments) return segments;
    if (choice.startsWith('/') !== absolute) return { problem: 'is half of it an absolute path' };
    read.push(segments);
  }
  const names = read.flat().filter((segment) => segment.plain);
  return {
    kind: 'path',
    where: 'glob',
    absolute,
    choices: read,
    names: new Set(names.map((segment) => segment.text.toLowerCase())),
  };
}

function segmentsOf(text: string): Wild[] | { readonly problem: string } {
  if (/[[\]\\]|^!/.test(text))
    return { problem: 'knows *, ?, ** and {a,b}: write ? for a bracket in a name' };
  if (text.startsWith('~')) return { problem: 'cannot begin with ~: write the whole path' };
  const parts = text
    .replace(/^\.\//, '')
    .split('/')
    .filter((part, at) => part !== '' || at > 0);
  if (parts.at(-1) === '')
    return { problem: 'ends in a slash: write ** behind it for everything in that folder' };
  if (parts.some((part) => part === '..' || part === '.' || part === ''))
    return { problem: 'cannot hold . or .. or an empty name: write an absolute path for what is elsewhere' };
  if (parts.some((part) => part.includes('**') && part !== '**'))
    return { problem: 'has ** within a name: ** stands alone between slashes' };
  return parts.map(wild);
}

const MAX_CHOICES = 100;

/** `a{b,c}` is `ab` and `ac`; the innermost braces first. Undefined for braces that offer no choice, and for too many. */
function choicesOf(text: string): string[] | undefined {
  let open = [text];
  for (;;) {
    const found = /\{([^{}]*)\}/.exec(open[0] ?? '');
    if (found === null) return open.some((choice) => /[{}]/.test(choice)) ? undefined : open;
    const options = found[1]?.split(',') ?? [];
    open = open.flatMap((choice) => options.map((option) => choice.replace(found[0], () => option)));
    if (options.length < 2 || open.length > MAX_CHOICES) return undefined;
  }
}

/**
 * Names of what git, the agents and editors run or obey by themselves. A wildcard does not allow writing to them: the rule must name them.
 */
const OBEYED = new Set([
  '.git',
  '.claude',
  '.codex',
  '.mcp.json',
  '.husky',
  '.githooks',
  '.vscode',
  '.idea',
  '.envrc',
  '.devcontainer',
]);

function obeyed(target: PathTarget, pattern: PathPattern | undefined): string | undefined {
  if (!target.written) return undefined;
  const named = pattern?.where === 'glob' ? pattern.names : undefined;
  for (const placed of [target.real, target.named])
    for (const name of (placed.inside ?? placed.segments).map((part) => part.toLowerCase()))
      if (OBEYED.has(name) && named?.has(name) !== true) return name;
  return undefined;
}

/** To allow, only where the file really is counts, and a whole folder must be covered; to deny or ask, also how it was named, and any part of the folder. */
export function fitsPath(pattern: PathPattern, target: PathTarget, strict: boolean): Fit {
  if (strict) {
    const covered = covers(pattern, target.real) && (!target.tree || coversBelow(pattern, target.real));
    return covered && obeyed(target, pattern) === undefined ? 'yes' : 'no';
  }
  if (covers(pattern, target.real) || covers(pattern, target.named)) return 'yes';
  if (!target.tree) return 'no';
  return touchesBelow(pattern, target.real) || touchesBelow(pattern, target.named) ? 'maybe' : 'no';
}

const SEGMENTS: Tests<Wild, string> = {
  isStar: (segment) => segment.text === '**',
  fits: fitsText,
};

function covers(pattern: PathPattern, { inside, segments }: PlacedPath): boolean {
  if (pattern.where === 'inside') return inside !== undefined;
  if (pattern.where === 'outside') return inside === undefined;
  const path = pattern.absolute ? segments : inside;
  return path !== undefined && pattern.choices.some((segments) => fitsSequence(segments, path, SEGMENTS));
}

function coversBelow(pattern: PathPattern, place: PlacedPath): boolean {
  if (pattern.where === 'inside') return true;
  // A folder outside may have the workspace below it.
  if (pattern.where === 'outside') return false;
  const path = pattern.absolute ? place.segments : place.inside;
  return pattern.choices.some(
    (segments) =>
      path !== undefined && segments.at(-1)?.text === '**' && fitsSequence(segments, path, SEGMENTS),
  );
}

/** Might something below this folder be meant? Only when the two have no way in common it cannot. */
function touchesBelow(pattern: PathPattern, { inside, segments, above }: PlacedPath): boolean {
  if (pattern.where !== 'glob') return above;
  const path = pattern.absolute ? segments : inside;
  if (path === undefined) return above;
  return pattern.choices.some((segments) => {
    const fixed = segments.findIndex((segment) => !segment.plain);
    const way = fixed < 0 ? segments : segments.slice(0, fixed);
    return way.every((segment, at) => path[at] === undefined || path[at] === segment.text);
  });
}
