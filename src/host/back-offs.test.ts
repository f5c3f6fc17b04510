import { expect, test } from 'vitest';
import { BackOffs } from './back-offs.ts';

/** On a clock that is set. */
class Clocked {
  now = 0;
  readonly at: BackOffs = new BackOffs(() => this.now);

  waits(domain: string): number {
    return this.at.waitMs(domain);
  }
}

function crashes(one: Clocked, domain: string, times: number, livedMs = 100): void {
  for (let time = 0; time < times; time += 1) {
    const since = one.now;
    one.now += livedMs;
    one.at.ended(domain, { failed: true, ran: true, since });
  }
}

test('each crash in a row makes the next process of the domain wait for longer, and no other domain', () => {
  const one = new Clocked();
  const waits = [1, 2, 3, 4].map(() => {
    crashes(one, 'bad', 1);
    return one.waits('bad');
  });
  expect(waits).toEqual([0, 1000, 2000, 4000]);
  expect(one.waits('good')).toBe(0);
  crashes(one, 'bad', 20);
  expect(one.waits('bad')).toBe(30_000);
});

test('a process that is called off before it ran says nothing for its domain', () => {
  const one = new Clocked();
  crashes(one, 'bad', 4);
  one.at.ended('bad', { failed: false, ran: false });
  one.at.ended('bad', { failed: false, ran: false, since: one.now });
  expect(one.waits('bad')).toBe(4000);
});

test('an older process of the domain that ends in peace says nothing for those that crash', () => {
  const one = new Clocked();
  crashes(one, 'bad', 4);
  one.at.ended('bad', { failed: false, ran: true, since: 0 });
  expect(one.waits('bad')).toBe(4000);
});

test('one that was started behind the last crash and ends in peace does', () => {
  const one = new Clocked();
  crashes(one, 'bad', 4);
  one.now += 5000;
  const since = one.now;
  one.now += 100;
  one.at.ended('bad', { failed: false, ran: true, since });
  crashes(one, 'bad', 1);
  expect(one.waits('bad')).toBe(0);
});

test('one that lived for long before it crashed begins the count anew', () => {
  const one = new Clocked();
  crashes(one, 'bad', 5);
  crashes(one, 'bad', 1, 60_000);
  expect(one.waits('bad')).toBe(0);
});
