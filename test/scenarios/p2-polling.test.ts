import { expect, test } from 'vitest';
import type { Event, TestDaemon } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** P2 for a client that has no streams: it asks for pages, and again from where the last one ended. */
let daemon: TestDaemon;

daemonForAll((made) => {
  ({ daemon } = made);
});

test('a client that polls the events of all sessions knows where to go on, also at the end', async () => {
  const one = await daemon.session('claude');
  await daemon.turn(one, 'say one');
  const seen: Event[] = [];
  let after = 0;
  const poll = async (): Promise<void> => {
    for (let more = true; more;) {
      const { body } = await daemon.request('GET', `/v1/events?after=${String(after)}&limit=3`);
      seen.push(...body.events);
      more = body.next !== undefined;
      if (more) expect(body.through).toBe(body.next);
      after = body.through;
    }
  };
  await poll();
  const two = await daemon.session('claude');
  await daemon.turn(two, 'say two');
  await daemon.turn(one, 'say three');
  await poll();
  await poll();
  for (const session of [one, two])
    expect(seen.filter((event) => event.session === session)).toEqual(await daemon.events(session));
});

test('a page of one session says how far it reaches', async () => {
  const session = await daemon.session('claude');
  await daemon.turn(session, 'say one');
  const { lastSeq } = (await daemon.request('GET', `/v1/sessions/${session}`)).body;
  const pages = `/v1/sessions/${session}/events`;
  expect((await daemon.request('GET', `${pages}?after=0&limit=2`)).body).toMatchObject({
    through: 2,
    next: 2,
  });
  for (const after of [0, lastSeq])
    expect((await daemon.request('GET', `${pages}?after=${String(after)}`)).body.through).toBe(lastSeq);
});
