/**
 * Words of a shell command: which text a program will see, where that can be known.
 * Pure.
 */
import type { Word, WordPart } from 'unbash';
import type { CommandWord } from './types.ts';

/** `open`: expands to file names or several words, but runs nothing. `live`: variables, substitutions and whatever else only running it would tell. */
type Sort = 'fixed' | 'open' | 'live';

export interface ReadWord extends CommandWord {
  readonly sort: Sort;
}

export function readWord(word: Word): ReadWord {
  const sort = sortOf(word);
  return { sort, fixed: sort === 'fixed', text: sort === 'fixed' ? word.value : word.text };
}

function sortOf(word: Word): Sort {
  const { parts, text } = word;
  if (parts === undefined) return bareSort(text, true);
  let sort: Sort = /^[~=]/.test(text) ? 'open' : 'fixed';
  for (const [at, part] of parts.entries()) {
    const one = partSort(part, at === parts.length - 1);
    if (one === 'live') return 'live';
    if (one === 'open') sort = 'open';
  }
  return sort;
}

/** What is left out is live: $'…' and $"…" mean something else in other shells, and @(…) is more than a pattern in zsh. */
function partSort(part: WordPart, last: boolean): Sort {
  if (part.type === 'Literal') return bareSort(part.text, last);
  if (part.type === 'SingleQuoted') return 'fixed';
  if (part.type === 'DoubleQuoted') {
    const { parts } = part;
    const literal = parts.every(
      (child, at) => child.type === 'Literal' && !isDollar(child.text, at === parts.length - 1),
    );
    return literal ? 'fixed' : 'live';
  }
  if (part.type === 'Glob' || part.type === 'BraceExpansion')
    return /[$`<>()]/.test(part.text) ? 'live' : 'open';
  return 'live';
}

/** Unquoted text: `~` is somebody's home, zsh reads `=name` as a path, and closes groups by a brace wherever it stands. */
function bareSort(text: string, last: boolean): Sort {
  const bare = text.replace(/\\./gs, '_');
  if (isDollar(text, last) || /[`<>()]/.test(bare) || (/[{}]/.test(bare) && text !== '{}')) return 'live';
  return /^[~=]|[:=]~/.test(text) ? 'open' : 'fixed';
}

/** A dollar sign that no backslash protects, unless nothing stands behind it: what bash takes as it stands, zsh may expand (`$=x`). */
function isDollar(text: string, last: boolean): boolean {
  const bare = text.replace(/\\./gs, '_');
  return (last ? bare.slice(0, -1) : bare).includes('$');
}
