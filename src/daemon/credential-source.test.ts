import { expect, test } from 'vitest';
import type { Printed } from './credential-command.ts';
import { CredentialSource } from './credential-source.ts';

/** A source on a clock of its own; each run prints `v1`, `v2`, … with the expiry that is set. */
function sourceOf(printed: (n: number) => Promise<Printed> | Printed) {
  let n = 0;
  const clock = { now: 1_000_000 };
  const source = new CredentialSource({
    names: new Map([['key', 5_000]]),
    run: async () => printed((n += 1)),
    now: () => clock.now,
  });
  return { source, clock, runs: () => n };
}

test('without an expiry a value is believed for its ttl, and no process is called outdated for it', async () => {
  const { source, clock, runs } = sourceOf((n) => ({ value: `v${String(n)}` }));
  expect(await source.start('a', ['key'])).toEqual({ key: 'v1' });
  clock.now += 4_999;
  expect(await source.start('b', ['key'])).toEqual({ key: 'v1' });
  clock.now += 1;
  expect(source.expired('a')).toBe(false);
  expect(await source.start('a', ['key'])).toEqual({ key: 'v2' });
  expect(runs()).toBe(2);
});

test('with an expiry it is believed until a minute before, and what was started with it is outdated then', async () => {
  const { source, clock } = sourceOf((n) => ({ value: `v${String(n)}`, expiresAt: 1_000_000 + n * 600_000 }));
  await source.start('a', ['key']);
  clock.now += 539_999;
  expect(source.expired('a')).toBe(false);
  clock.now += 1;
  expect(source.expired('a')).toBe(true);
  expect(await source.start('a', ['key'])).toEqual({ key: 'v2' });
  expect(source.expired('a')).toBe(false);
});

test('a life shorter than the margin is used for its first half', async () => {
  const { source, clock, runs } = sourceOf(() => ({ value: 'v', expiresAt: 1_020_000 }));
  await source.start('a', ['key']);
  clock.now += 9_999;
  await source.start('a', ['key']);
  expect(runs()).toBe(1);
  clock.now += 1;
  expect(source.expired('a')).toBe(true);
});

test('two that ask at the same time are one run; a failure is not remembered', async () => {
  const gate = Promise.withResolvers<void>();
  const { source, runs } = sourceOf(async (n) => {
    await gate.promise;
    if (n === 1) throw new Error('no');
    return { value: `v${String(n)}` };
  });
  const both = Promise.allSettled([source.start('a', ['key']), source.start('b', ['key'])]);
  gate.resolve();
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(runs()).toBe(1);
  expect(await source.start('a', ['key'])).toEqual({ key: 'v2' });
});

test('nothing asked for, nothing run', async () => {
  const { source, runs } = sourceOf(() => ({ value: 'v' }));
  expect(await source.start('a', [])).toEqual({});
  expect(source.expired('a')).toBe(false);
  expect(runs()).toBe(0);
});

test('the process of one that another has now is outdated for that one', async () => {
  const { source, clock } = sourceOf(() => ({ value: 'v', expiresAt: 1_600_000 }));
  await source.start('spare', ['key']);
  source.handOver('spare', 'a');
  source.forget('spare');
  clock.now += 540_000;
  expect([source.expired('spare'), source.expired('a')]).toEqual([false, true]);
});
