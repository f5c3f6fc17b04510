import { expect, test } from 'vitest';
import { Retained } from './retained.ts';

test('what is kept is the stream from the base on, whatever the sizes of chunks and acknowledgements', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const kept = new Retained();
  let model = Buffer.alloc(0);
  let base = 0;
  for (let step = 0; step < 3000; step += 1) {
    const size = [1, 3, 200, 4096, 4097, 60_000][random(6)] ?? 1;
    const bytes = Buffer.from(Array.from({ length: size }, () => random(256)));
    kept.push(bytes);
    model = Buffer.concat([model, bytes]);
    if (random(3) === 0) {
      const to = base + random(model.length + 1);
      kept.release(to);
      model = model.subarray(to - base);
      base = to;
    }
    if (random(10) === 0) {
      const start = base + random(model.length + 1);
      const read: Buffer[] = [];
      let at = start;
      for (let part = kept.from(at); part !== undefined; part = kept.from(at)) {
        expect(part.offset).toBe(at);
        read.push(part.bytes);
        at += part.bytes.length;
      }
      expect(Buffer.concat(read).equals(model.subarray(start - base))).toBe(true);
    }
    expect([kept.base, kept.end, kept.size]).toEqual([base, base + model.length, model.length]);
    if (model.length > 300_000) {
      kept.release(base + 250_000);
      model = model.subarray(250_000);
      base += 250_000;
    }
  }
});
