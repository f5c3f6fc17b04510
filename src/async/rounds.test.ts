import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Rounds } from './rounds.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test('a round at each interval; the clock counts what passed', () => {
  let rounds = 0;
  const counted = new Rounds(60_000, () => (rounds += 1));
  counted.start();
  vi.advanceTimersByTime(150_000);
  expect(rounds).toBe(2);
  expect(counted.now()).toBeCloseTo(150_000, -3);
  counted.stop();
  vi.advanceTimersByTime(600_000);
  expect(rounds).toBe(2);
});

test('time in which the host slept makes no round due, and moves the clock by one interval at most', () => {
  let rounds = 0;
  const counted = new Rounds(60_000, () => (rounds += 1));
  counted.start();
  vi.advanceTimersByTime(30_000);
  // All clocks jump; the one slice that was running fires late.
  const jumped = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 36_000_000);
  expect(counted.now()).toBe(60_000);
  vi.advanceTimersByTime(1_000);
  expect(rounds).toBe(0);
  jumped.mockRestore();
  counted.stop();
});

test('a wall clock that is set forward or back changes nothing', () => {
  const counted = new Rounds(60_000, () => undefined);
  counted.start();
  vi.advanceTimersByTime(10_000);
  for (const year of [1990, 2090]) {
    vi.setSystemTime(new Date(`${String(year)}-01-01`));
    expect(counted.now()).toBeCloseTo(10_000, -2);
  }
  counted.stop();
});
