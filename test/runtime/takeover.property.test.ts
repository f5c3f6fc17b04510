import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SessionEvent } from '../../src/protocol/index.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toyBrain, toyHost } from '../support/toy.ts';
import { until } from '../support/until.ts';

/**
 * P2, P3, P4 where they are decided: the daemon dies after any transaction, any number of times, with stdout cut anywhere;
 * the events are those of a run without a crash, and the agent received each message once.
 */

const BY = { by: { kind: 'client' as const } };

interface Outcome {
  readonly events: readonly SessionEvent[];
  readonly received: readonly string[];
}

/** One session, one message; the daemon crashes after each of these many commits and is started again. */
async function run(
  words: readonly string[],
  crashes: readonly number[],
  cuts: readonly number[],
): Promise<Outcome> {
  const keeper = new MemoryKeeper(toyBrain(words), cuts);
  let journal = new MemoryJournal();
  const die = (): void => keeper.cutOff();
  const left = [...crashes];
  journal.crashAfter = left.shift() ?? Number.POSITIVE_INFINITY;
  journal.onCrash = die;
  let host = await toyHost(journal, keeper);
  // A command whose answer never came is sent again with the same key, as our client does.
  const create = { scope: 'create', key: 'k', bodyHash: 'h' };
  const send = { scope: 'send', key: 'k', bodyHash: 'h' };
  let session: string | undefined;
  let sent = false;
  const command = async (): Promise<void> => {
    const alive = journal;
    session ??= (await host.create({ agent: 'toy', cwd: '/' }, { ...BY, idempotency: create })).value.id;
    if (alive.dead) return;
    await host.send(session, { input: 'hi' }, { ...BY, idempotency: send });
    sent = true;
  };
  void command().catch(() => undefined);
  const over = (): boolean => journal.all.some((event) => event.type === 'turn.completed');
  for (;;) {
    await until(() => journal.dead || over());
    if (!journal.dead) break;
    const next = journal.reopen();
    journal = next;
    journal.crashAfter = left.shift() ?? Number.POSITIVE_INFINITY;
    journal.onCrash = die;
    const recovering = toyHost(journal, keeper);
    host = await Promise.race([recovering, until(() => next.dead).then(() => host)]);
    if (!sent && !next.dead) void command().catch(() => undefined);
  }
  return { events: journal.all, received: keeper.received };
}

/** Neighbouring deltas joined, times and ids of runtimes left out. */
function shape(events: readonly SessionEvent[]): unknown[] {
  const out: { type: string; text?: string }[] = [];
  for (const event of events) {
    if (event.type === 'runtime.started' || event.type === 'session.updated') continue;
    const text =
      event.type === 'message.delta' || event.type === 'message.completed' ? event.data.text : undefined;
    const last = out.at(-1);
    if (event.type === 'message.delta' && last?.type === 'message.delta')
      last.text = (last.text ?? '') + (text ?? '');
    else out.push({ type: event.type, ...(text === undefined ? {} : { text }) });
  }
  return out;
}

const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 12 });
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 });

test('any split of stdout gives the same events', async () => {
  await fc.assert(
    fc.asyncProperty(words, cuts, async (list, sizes) => {
      const split = await run(list, [], sizes);
      const whole = await run(list, [], []);
      expect(shape(split.events)).toEqual(shape(whole.events));
    }),
    { numRuns: 60 },
  );
});

test('a crash after any transaction loses nothing, repeats nothing, and the message arrives once', async () => {
  await fc.assert(
    fc.asyncProperty(
      words,
      cuts,
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
      async (list, sizes, crashes) => {
        const crashed = await run(list, crashes, sizes);
        const whole = await run(list, [], []);
        expect(shape(crashed.events)).toEqual(shape(whole.events));
        expect(crashed.events.map((event) => event.seq)).toEqual(crashed.events.map((_, index) => index + 1));
        const prompts = crashed.received.filter((line) => line.startsWith('p '));
        expect(prompts).toHaveLength(1);
        expect(crashed.received.filter((line) => line.startsWith('n '))).toHaveLength(1);
      },
    ),
    { numRuns: 200 },
  );
});
