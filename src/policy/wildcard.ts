/**
 * Wildcards over a sequence: a star stands for any number of elements, everything else for one.
 * Linear in memory and never exponential in time: one place to come back to, never two.
 */

export interface Tests<P, T> {
  readonly isStar: (pattern: P) => boolean;
  readonly fits: (pattern: P, element: T) => boolean;
}

export function fitsSequence<P, T>(
  pattern: readonly P[],
  elements: ArrayLike<T>,
  { isStar, fits }: Tests<P, T>,
): boolean {
  let p = 0;
  let e = 0;
  let star = -1;
  let resume = 0;
  while (e < elements.length) {
    const wanted = pattern[p];
    const element = elements[e];
    if (p < pattern.length && wanted !== undefined && isStar(wanted)) {
      star = p;
      p += 1;
      resume = e;
    } else if (wanted !== undefined && element !== undefined && fits(wanted, element)) {
      p += 1;
      e += 1;
    } else if (star >= 0) {
      p = star + 1;
      resume += 1;
      e = resume;
    } else return false;
  }
  return pattern.slice(p).every(isStar);
}

/** A text with wildcards, compiled: `*` any characters, `?` one. */
export interface Wild {
  readonly text: string;
  /** No wildcard in it: compared as it stands. */
  readonly plain: boolean;
  readonly marks: readonly string[];
}

/** As texts are compared below: by UTF-16 units, so that nothing need be copied. */
function units(text: string): string[] {
  return Array.from({ length: text.length }, (_, at) => text.charAt(at));
}

/** A wildcard that stands for itself: escaped by whoever read the quotes. */
const LITERAL: Readonly<Record<string, string>> = { '*': '\u0000*', '?': '\u0000?' };
const CHARACTERS: Tests<string, string> = {
  isStar: (mark) => mark === '*',
  fits: (mark, character) => mark === '?' || mark === character || mark === LITERAL[character],
};

export function wild(text: string): Wild {
  return { text, plain: !/[*?]/.test(text), marks: units(text) };
}

/** A text in which nothing is a wildcard. */
export function verbatim(text: string): Wild {
  return { text, plain: true, marks: units(text).map((unit) => LITERAL[unit] ?? unit) };
}

/** One text after the other, as the pieces of a word. */
export function joined(pieces: readonly Wild[]): Wild {
  return {
    text: pieces.map((piece) => piece.text).join(''),
    plain: pieces.every((piece) => piece.plain),
    marks: pieces.flatMap((piece) => piece.marks),
  };
}

export function fitsText(pattern: Wild, text: string): boolean {
  return pattern.plain ? pattern.text === text : fitsSequence(pattern.marks, text, CHARACTERS);
}
