import { expect, test } from 'vitest';
import type { SessionHost } from '../../src/host/index.ts';
import { backOffMs, type PoolLimits } from '../../src/pool/index.ts';
import { TURN_ENDINGS } from '../../src/protocol/index.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { sharedBy, sharedToy, sharedToyBrain } from '../support/toy-shared.ts';
import { until } from '../support/until.ts';

/** A domain whose processes crash backs off as one, whichever of its sessions wants the next one; others go on as if nothing were (R9). */

const BY = { by: { kind: 'client' as const } };
const calm = sharedToyBrain(['some']);

class Home {
  readonly journal = new MemoryJournal();
  /** Processes that were greeted, by label, and when. */
  readonly greeted: { readonly label: string; readonly at: number }[] = [];
  readonly #labels = new Map<string, string>();
  readonly keeper = new MemoryKeeper((line, print, exit, child) => {
    const label = this.#labels.get(child) ?? '';
    if (line === 'hello') this.greeted.push({ label, at: performance.now() });
    if (label === 'bad' && line.split(' ')[0] === this.dies) return exit(3);
    calm(line, print, exit, child);
  });
  host!: SessionHost;
  /** Bad ones crash when a conversation is to be opened (for one message they would do), or when they are greeted. */
  dies: 'j' | 'hello' = 'j';

  async start(pool: Partial<PoolLimits> = {}): Promise<void> {
    const sharing = sharedBy({ dialect: sharedToy });
    this.host = await toyHost(this.journal, this.keeper, {
      report: () => undefined,
      pool: { maxWarm: 2, whenFull: 'wait', ...pool },
      sharing: (at) => {
        const { domainOf, share } = sharing(at);
        return {
          ...(domainOf === undefined ? {} : { domainOf }),
          share: (wish) => {
            this.#labels.set(wish.id, wish.domain);
            return share!(wish);
          },
        };
      },
    });
  }

  async session(domain: string): Promise<string> {
    return (await this.host.create({ agent: 'toy', cwd: '/', domain }, BY)).value.id;
  }

  async turn(id: string): Promise<string> {
    const turn = (await this.host.send(id, { input: 'hi' }, BY)).value.id;
    const ended = () => this.journal.all.find((event) => event.turn === turn && TURN_ENDINGS.has(event.type));
    await until(() => ended() !== undefined);
    return ended()?.type ?? '';
  }

  /** A process of the domain that crashes, as a session's that has just come. */
  async crash(): Promise<void> {
    const before = this.greeted.length;
    const id = await this.session('bad');
    await until(() => this.greeted.length > before);
    await until(() => this.journal.all.some((event) => event.session === id && event.type === 'notice'));
  }

  get bad(): number {
    return this.greeted.filter(({ label }) => label === 'bad').length;
  }
}

test('other domains notice nothing of one that crashes again and again', async () => {
  const home = new Home();
  await home.start();
  const good = await home.session('good');
  expect(await home.turn(good)).toBe('turn.completed');
  await home.crash();
  await home.crash();
  // The third is held back: it waits, and the good one goes on.
  const waits = await home.session('bad');
  for (let time = 0; time < 3; time += 1) expect(await home.turn(good)).toBe('turn.completed');
  expect(home.bad).toBe(2);
  expect(await home.turn(await home.session('good'))).toBe('turn.completed');
  expect(home.greeted.filter(({ label }) => label === 'good')).toHaveLength(1);
  await home.host.close(waits, BY);
});

test('whoever comes to a domain that backs off waits with it: the line of its sessions does not shorten the wait', async () => {
  const home = new Home();
  await home.start();
  await home.crash();
  await home.crash();
  const since = performance.now();
  const wait = backOffMs({ count: home.bad, at: 0 }, 0);
  const first = await home.session('bad');
  // One that is called off while it waits, and others that come behind it.
  await home.host.close(first, BY);
  const others = [await home.session('bad'), await home.session('bad')];
  await until(() => home.bad > 2);
  expect(home.bad).toBe(3);
  expect(home.greeted.at(-1)!.at - since).toBeGreaterThan(wait / 2);
  for (const id of others) await home.host.close(id, BY);
});

test('a process that is started ahead waits with its domain, too', async () => {
  const home = new Home();
  await home.start({ maxWarm: 3, spares: 1, spareRestMs: 1 });
  await home.crash();
  await home.crash();
  const good = await home.session('good');
  expect(await home.turn(good)).toBe('turn.completed');
  // Whoever comes now wants another one ahead.
  const before = home.bad;
  const waits = await home.session('bad');
  for (let time = 0; time < 20; time += 1) expect(await home.turn(good)).toBe('turn.completed');
  expect(home.bad).toBe(before);
  await home.host.close(waits, BY);
});

test('one that was started ahead and dies before anybody has it counts for its domain', async () => {
  const home = new Home();
  home.dies = 'hello';
  await home.start({ maxWarm: 3, spares: 1, spareRestMs: 1, warmOnCreate: false });
  for (let time = 1; time <= 2; time += 1) {
    await home.session('bad');
    await until(() => home.bad === time && home.journal.runtimes().length === 0);
  }
  const since = performance.now();
  const wait = backOffMs({ count: home.bad, at: 0 }, 0);
  const last = await home.session('bad');
  // Another wish for one ahead does not start it, a message waits for it.
  await home.turn(last);
  expect(home.bad).toBeGreaterThan(2);
  expect(performance.now() - since).toBeGreaterThan(wait / 2);
});
