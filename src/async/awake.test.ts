import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AwakeTimer } from './awake.ts';

let fired: number[];
let timer: AwakeTimer;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  fired = [];
  timer = new AwakeTimer(() => fired.push(performance.now()));
});
afterEach(() => {
  vi.useRealTimers();
});

/** The process could not run for so long: its clock goes on, its timers fire late. */
function stall(ms: number): void {
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + ms);
}

test('fires once when its time is over', () => {
  timer.start(2500);
  vi.advanceTimersByTime(2499);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(fired).toHaveLength(1);
  expect(fired[0]).toBeCloseTo(2500, -1);
});

test('started again it counts from there, in the slice that is under way', () => {
  timer.start(5000);
  vi.advanceTimersByTime(600);
  timer.start(2500);
  vi.advanceTimersByTime(2498);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(4);
  expect(fired).toHaveLength(1);
});

test('started again for less than is left of the slice it is in time', () => {
  timer.start(5000);
  vi.advanceTimersByTime(100);
  timer.start(300);
  vi.advanceTimersByTime(302);
  expect(fired).toHaveLength(1);
});

test('stopped it fires never, and started behind that it counts whole', () => {
  timer.start(1500);
  vi.advanceTimersByTime(900);
  timer.stop();
  vi.advanceTimersByTime(50);
  timer.start(1500);
  vi.advanceTimersByTime(1498);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(4);
  expect(fired).toHaveLength(1);
  timer.start(1500);
  timer.stop();
  vi.advanceTimersByTime(60_000);
  expect(fired).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('touched it counts from the start of the next slice', () => {
  timer.start(2000);
  vi.advanceTimersByTime(1900);
  timer.touch();
  vi.advanceTimersByTime(2000);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(fired).toHaveLength(1);
});

test('a minute in which the process could not run counts for one slice at most', () => {
  timer.start(2500);
  stall(60_000);
  vi.advanceTimersByTime(1000);
  vi.restoreAllMocks();
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(2490);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(70_000);
  expect(fired).toHaveLength(1);
});

test('started behind a stall, before the late slice ends, it counts whole', () => {
  timer.start(5000);
  const stalled = vi.spyOn(performance, 'now').mockReturnValue(60_000);
  timer.start(1500);
  vi.advanceTimersByTime(1000);
  expect(fired).toEqual([]);
  stalled.mockReturnValue(61_490);
  vi.advanceTimersByTime(1490);
  expect(fired).toEqual([]);
  stalled.mockReturnValue(61_600);
  vi.advanceTimersByTime(1000);
  expect(fired).toHaveLength(1);
});
