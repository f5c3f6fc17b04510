import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineReader, type WireLine } from './lines.ts';

function readAll(chunks: readonly Buffer[], maxLine = 1000): WireLine[] {
  const reader = new LineReader(maxLine);
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
}

test('any split of the stream gives the same lines and offsets', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, '_'))),
      fc.array(fc.nat(200)),
      (lines, cuts) => {
        const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const at = [...new Set([0, ...cuts.filter((cut) => cut < stream.length), stream.length])].sort(
          (a, b) => a - b,
        );
        const chunks = at.slice(1).map((end, index) => stream.subarray(at[index], end));
        const found = readAll(chunks);
        expect(found).toEqual(readAll([stream]));
        expect(found.map((line) => (line.kind === 'line' ? line.text : '?'))).toEqual(
          lines.map((line) => Buffer.from(line).toString()),
        );
      },
    ),
  );
});

test('a line longer than the cap is cut once, its rest passed over, and the next line is whole', () => {
  const reader = new LineReader(10);
  const first = reader.push(Buffer.from('0123456789abc'));
  expect(first).toEqual([{ kind: 'cut', head: '0123456789abc', end: 13 }]);
  expect(reader.consumed).toBe(13);
  expect(reader.skipping).toBe(true);
  expect(reader.push(Buffer.from('def\nnext\n'))).toEqual([{ kind: 'line', text: 'next', end: 22 }]);
  expect(reader.skipping).toBe(false);
});

test('a stream taken up inside a cut line passes over its rest', () => {
  const reader = new LineReader(10, 13, true);
  expect(reader.push(Buffer.from('def\nnext\n'))).toEqual([{ kind: 'line', text: 'next', end: 22 }]);
});

test('half a line at the end of the stream is given out', () => {
  expect(readAll([Buffer.from('a\nhalf')])).toEqual([
    { kind: 'line', text: 'a', end: 2 },
    { kind: 'line', text: 'half', end: 6 },
  ]);
});

test('invalid UTF-8 becomes replacement characters and breaks nothing', () => {
  expect(readAll([Buffer.from([0xff, 0xfe, 0x0a, 0x61, 0x0a])])).toEqual([
    { kind: 'line', text: '��', end: 3 },
    { kind: 'line', text: 'a', end: 5 },
  ]);
});
