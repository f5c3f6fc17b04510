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
  if (parts === undefined) return plainSort(text, word.value);
  let sort: Sort = plainSort(text, text);
  for (const part of parts) {
    const one = partSort(part);
    if (one === 'live') return 'live';
    if (one === 'open') sort = 'open';
  }
  return sort;
}

/** Unquoted text: `~` is somebody's home, and zsh reads `=name` as a path. */
function plainSort(text: string, value: string): Sort {
  if (value === text && /[$`<>()]/.test(text) && !/["'\\]/.test(text)) return 'live';
  return /^[~=]|[:=]~/.test(text) ? 'open' : 'fixed';
}

/** What is left out is live: $'…' and $"…" mean something else in other shells, and @(…) is more than a pattern in zsh. */
function partSort(part: WordPart): Sort {
  if (part.type === 'Literal') return /[:=]~/.test(part.text) ? 'open' : 'fixed';
  if (part.type === 'SingleQuoted') return 'fixed';
  if (part.type === 'DoubleQuoted')
    return part.parts.every((child) => child.type === 'Literal') ? 'fixed' : 'live';
  if (part.type === 'Glob' || part.type === 'BraceExpansion')
    return /[$`<>()]/.test(part.text) ? 'live' : 'open';
  return 'live';
}
