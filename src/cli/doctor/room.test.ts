import { expect, test } from 'vitest';
import { room } from './room.ts';

const pool = { maxWarm: 5, maxPerMessage: 10 };

test.each([
  [
    'a budget above what the machine has',
    { ...pool, memoryBudgetMb: 9000 },
    8000,
    /memoryBudgetMb is 9000 MB/,
    6000,
  ],
  [
    'more processes than the machine has memory for',
    { ...pool, maxWarm: 100 },
    8000,
    /pool.maxWarm \(100\)/,
    6000,
  ],
])('%s is told with what would do', (_name, limits, haveMb, says, fix) => {
  const found = room(limits, haveMb);
  expect(found).toMatchObject({ what: 'pool', state: 'warning', fix: expect.stringContaining(String(fix)) });
  expect(found.says).toMatch(says);
});

test('what the machine can hold is fine, and a budget holds back whatever else is allowed', () => {
  expect(room(pool, 8000).state).toBe('ok');
  expect(room({ ...pool, maxWarm: 100, memoryBudgetMb: 4000 }, 8000).state).toBe('ok');
});
