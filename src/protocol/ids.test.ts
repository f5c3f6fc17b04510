import { expect, test } from 'vitest';
import { newId, uuidOf, uuidv7 } from './ids.ts';

test('ids are UUIDs of version 7, each another, in the order of their milliseconds', () => {
  const before = Date.now();
  const made = Array.from({ length: 1000 }, () => newId('ses'));
  const after = Date.now();
  expect(new Set(made).size).toBe(1000);
  for (const id of made) {
    expect(id).toMatch(/^ses_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    const ms = Number.parseInt(uuidOf(id).slice(0, 13).replace('-', ''), 16);
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(after);
  }
  expect(uuidv7()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
