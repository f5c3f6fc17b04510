import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MASK, redactionOf, type Redaction } from './redaction.ts';

/** Few letters, so that secrets overlap each other and themselves. */
const letter = fc.constantFrom('a', 'b', '"', '\\', '\n', 'é');
const secret = fc.string({ unit: letter, minLength: 8, maxLength: 14 });
const secrets = fc.array(secret, { minLength: 1, maxLength: 4 });

/** A text made of pieces of secrets, whole ones, and others. */
const written = secrets.chain((list) =>
  fc.record({
    list: fc.constant(list),
    pieces: fc.array(
      fc.oneof(
        fc.constantFrom(...list),
        fc.tuple(fc.constantFrom(...list), fc.nat({ max: 14 })).map(([one, end]) => one.slice(0, end)),
        fc.tuple(fc.constantFrom(...list), fc.nat({ max: 14 })).map(([one, from]) => one.slice(from)),
        fc.string({ unit: letter, maxLength: 6 }),
        fc.constantFrom(...list).map((one) => JSON.stringify(one)),
      ),
      { maxLength: 12 },
    ),
  }),
);

function streamed(redaction: Redaction, pieces: readonly string[]): string {
  let out = '';
  let held = '';
  for (const piece of pieces) {
    const split = redaction.split(held + piece);
    out += split.shown;
    held = split.held;
  }
  return out + redaction.mask(held);
}

test('any split of a text gives the same masked text', () => {
  fc.assert(
    fc.property(written, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), ({ list, pieces }, sizes) => {
      const redaction = redactionOf(list)!;
      const text = pieces.join('');
      const cut: string[] = [];
      for (let at = 0; at < text.length;) {
        const size = sizes.next().value ?? 1;
        cut.push(text.slice(at, at + size));
        at += size;
      }
      expect(streamed(redaction, cut)).toBe(redaction.mask(text));
      expect(streamed(redaction, pieces)).toBe(redaction.mask(text));
    }),
    { numRuns: 3000 },
  );
});

test('no secret is left in a masked text, and what is shown of a stream holds none either', () => {
  fc.assert(
    fc.property(written, ({ list, pieces }) => {
      const redaction = redactionOf(list)!;
      const text = pieces.join('');
      // What stands around a mask may not make a secret of it; no secret has a letter of it.
      for (const part of redaction.mask(text).split(MASK))
        for (const one of list) expect(part.includes(one)).toBe(false);
      for (const part of redaction.split(text).shown.split(MASK))
        for (const one of list) expect(part.includes(one)).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

test('nothing is held back that cannot become a secret', () => {
  fc.assert(
    fc.property(written, ({ list, pieces }) => {
      const { held } = redactionOf(list)!.split(pieces.join(''));
      const forms = list.flatMap((one) => [
        one,
        JSON.stringify(one).slice(1, -1),
        JSON.stringify(JSON.stringify(one).slice(1, -1)).slice(1, -1),
        encodeURIComponent(one),
        Buffer.from(one).toString('base64'),
      ]);
      expect(held === '' || forms.some((one) => one.startsWith(held) && one.length > held.length)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
