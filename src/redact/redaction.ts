/**
 * Finds known secrets in text, whole or as it streams, and masks them. Owns the search; knows nothing of what is a secret, nor of events or logs.
 *
 * One compiled pattern finds the leftmost secret, the longest where several begin. In a stream the end of a text is held back while it may be the
 * beginning of a secret, so any split of a text gives the same result. All work is linear in the text and in the lengths of the secrets.
 */

export const MASK = '[masked]';

/** Shorter ones are words: masking them would garble texts and hide nothing. */
const SHORTEST = 8;

/** A beginning of a secret at the end of a text that was cut is masked from this length on. */
const TELLING = 6;

export interface Redaction {
  /** The text with every secret in it replaced. */
  mask(text: string): string;
  /** The same for a text that may have been cut: half a secret at its end goes, too. */
  maskCut(text: string): string;
  /** What may be shown of a text that goes on, and its end that may be the beginning of a secret. */
  split(text: string): { readonly shown: string; readonly held: string };
}

/** Undefined when there is nothing to hide: then there is nothing to do. */
export function redactionOf(secrets: Iterable<string>): Redaction | undefined {
  const forms = formsOf(secrets);
  return forms.length === 0 ? undefined : new Search(forms);
}

/** Longer ones are looked for in pieces of this length, as they are. */
const PIECE = 4096;

/** All of them together; what is beyond, the longest, is not looked for: compiling it would hold up everything else. */
const MOST = 512 * 1024;

/** As they are, as they stand in JSON (also in JSON within JSON), in an address and in base64; the longest first. */
function formsOf(secrets: Iterable<string>): string[] {
  const forms = new Set<string>();
  let length = 0;
  for (const secret of [...secrets].toSorted((a, b) => a.length - b.length)) {
    length += secret.length;
    if (secret.length < SHORTEST || length > MOST) continue;
    if (secret.length > PIECE) {
      for (const piece of piecesOf(secret)) forms.add(piece);
      continue;
    }
    const whole = secret.toWellFormed();
    for (const form of [secret, inJson(secret), inJson(inJson(secret)), encodeURIComponent(whole)])
      forms.add(form);
    forms.add(Buffer.from(whole).toString('base64').replace(/=+$/, ''));
  }
  return [...forms].toSorted((a, b) => b.length - a.length);
}

function piecesOf(secret: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < secret.length; at += PIECE) pieces.push(secret.slice(at, at + PIECE));
  return pieces.filter((piece) => piece.length >= SHORTEST);
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

class Search implements Redaction {
  readonly #pattern: RegExp;
  readonly #beginnings: readonly Beginning[];

  constructor(forms: readonly string[]) {
    this.#pattern = new RegExp(forms.map((form) => escaped(form)).join('|'), 'g');
    this.#beginnings = forms.map((form) => new Beginning(form));
  }

  mask(text: string): string {
    return text.replace(this.#pattern, MASK);
  }

  maskCut(text: string): string {
    const { shown, held } = this.split(text);
    return held.length < TELLING ? this.mask(text) : shown + MASK;
  }

  split(text: string): { readonly shown: string; readonly held: string } {
    let shown = '';
    let at = 0;
    let hold = this.#holdFrom(text, 0);
    for (;;) {
      this.#pattern.lastIndex = at;
      const found = this.#pattern.exec(text);
      // Before `hold` no secret is half there: what is found there is found whatever follows.
      if (found === null || found.index >= hold)
        return { shown: shown + text.slice(at, hold), held: text.slice(hold) };
      shown += text.slice(at, found.index) + MASK;
      at = found.index + found[0].length;
      if (at > hold) hold = this.#holdFrom(text, at);
    }
  }

  /** Where the longest end of the text begins that is the beginning of a secret; the text's length when none is. */
  #holdFrom(text: string, from: number): number {
    const most = text.length - from;
    return text.length - Math.max(...this.#beginnings.map((one) => one.atEndOf(text, most)));
  }
}

/** Knows how much of one form's beginning a text ends with (Knuth, Morris, Pratt). */
class Beginning {
  readonly #form: string;
  /** For each length of a beginning: the longest shorter beginning that it ends with. */
  readonly #shorter: Int32Array;

  constructor(form: string) {
    this.#form = form;
    this.#shorter = new Int32Array(form.length + 1);
    for (let length = 1, matched = 0; length < form.length; length += 1) {
      matched = this.#step(matched, form.charCodeAt(length));
      this.#shorter[length + 1] = matched;
    }
  }

  /** Less than the whole form, `most` at most. */
  atEndOf(text: string, most: number): number {
    let matched = 0;
    const from = text.length - Math.min(most, this.#form.length - 1);
    for (let at = from; at < text.length; at += 1) matched = this.#step(matched, text.charCodeAt(at));
    return matched;
  }

  #step(matched: number, code: number): number {
    let length = matched;
    while (length > 0 && this.#form.charCodeAt(length) !== code) length = this.#shorter[length] ?? 0;
    return this.#form.charCodeAt(length) === code ? length + 1 : 0;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
