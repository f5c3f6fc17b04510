/**
 * The end of a run: everything is put right, every turn gets its time to end, and what can be read is read.
 * Owns how long that may take (P5). Judges nothing else.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pass } from 'node:timers/promises';
import { gone, type Event } from '../../support/daemon.ts';
import type { History, Received, SessionHistory, TurnSeen } from '../oracle/history.ts';
import type { Caller } from './caller.ts';
import type { OpenSession } from './client.ts';
import type { ChaosFollower } from './follower.ts';
import type { World } from './world.ts';

/** More than all bounds of the run's configuration that one turn can meet one after the other. */
const SETTLE_MS = 45_000;
const FOLLOW_MS = 15_000;
/** A process that was told that it is over leaves by itself. */
const LEAVE_MS = 2000;

export interface Settling {
  readonly world: World;
  readonly caller: Caller;
  readonly sessions: readonly OpenSession[];
  readonly everywhere: ChaosFollower;
  /** Of agents that write no log. */
  readonly received?: ((markers: readonly string[]) => Received[]) | undefined;
}

export async function settle(settling: Settling): Promise<Pick<History, 'sessions' | 'left'>> {
  const { world, sessions } = settling;
  const seen = new Map<string, { shown: Event[]; turns: TurnSeen[] }>();
  if (world.full) throw new Error('the journal fills the disk of this run by itself: it is too small');
  for (const session of sessions) await ended(settling, session);
  for (const session of sessions) seen.set(session.id, await read(settling, session));
  if (!(await settling.everywhere.finishLive(AbortSignal.timeout(FOLLOW_MS))))
    world.trouble('P2', 'who follows all sessions does not come to the end');
  for (const { id } of sessions) outlived(world, id, seen.get(id)?.shown ?? []);
  const left = await stop(settling);
  // The journal is read whoever holds it.
  await world.endAll();
  const journals = new Map(
    sessions.map(({ id }) => [id, journalOf(join(world.home.path, 'journal.db'), id)]),
  );
  return {
    left,
    sessions: sessions.map((session): SessionHistory => {
      const { shown, turns } = seen.get(session.id) ?? { shown: [], turns: [] };
      return {
        ...session,
        answers: session.people.answers,
        shown,
        turns,
        journal: journals.get(session.id) ?? [],
        received: (settling.received ?? receivedIn(session.log))(
          session.messages.map(({ marker }) => marker),
        ),
      };
    }),
  };
}

/** Waits until no turn of it is open; what would never end by itself is interrupted. */
async function ended({ world, caller }: Settling, session: OpenSession): Promise<void> {
  const bound = AbortSignal.timeout(SETTLE_MS);
  try {
    for (let looks = 0; ; looks += 1) {
      const { turns } = await turnsOf(caller, session, bound);
      const open = turns.filter(({ state }) => state === 'queued' || state === 'running');
      if (open.length === 0) return;
      if (looks % 20 === 0 && session.messages.some(({ endless }) => endless)) {
        session.interrupted = true;
        await caller.ask({ method: 'POST', path: `/v1/sessions/${session.id}/interrupt`, body: {} }, bound);
      }
      await pass(50);
    }
  } catch {
    world.troubles.push({
      promise: 'P5',
      session: session.id,
      what: `a turn is open ${String(SETTLE_MS)} ms after everything was put right`,
    });
  }
}

async function read(
  { world, caller }: Settling,
  session: OpenSession,
): Promise<{ shown: Event[]; turns: TurnSeen[] }> {
  const bound = AbortSignal.timeout(FOLLOW_MS);
  try {
    const { turns } = await turnsOf(caller, session, bound);
    const shown = await eventsOf(caller, session, bound);
    for (const [place, follower] of session.followers.entries())
      if (!(await follower.finish(shown.at(-1)?.seq ?? 0, bound)))
        world.troubles.push({
          promise: 'P2',
          session: session.id,
          what: `follower ${String(place)} does not come to the end`,
        });
    return { shown, turns };
  } catch (error) {
    world.troubles.push({ promise: 'P5', session: session.id, what: `it cannot be read: ${String(error)}` });
    return { shown: [], turns: [] };
  }
}

/** Background processes (`child PID` in what an agent said) are gone with the process whose agent started them. */
function outlived(world: World, session: string, events: readonly Event[]): void {
  const living = new Set(world.processes().map(({ pid }) => pid));
  const ended = events.findLast(({ type }) => type === 'runtime.ended')?.seq ?? 0;
  for (const { type, seq, data } of events) {
    const pid = type === 'message.completed' ? /child (\d+)/.exec(String(data['text']))?.[1] : undefined;
    if (pid === undefined || seq > ended || !living.has(Number(pid))) continue;
    const what = `process ${pid}, started at ${String(seq)}, outlives its agent, which ended at ${String(ended)}`;
    world.troubles.push({ promise: 'P6', session, what });
  }
}

async function turnsOf(
  caller: Caller,
  session: OpenSession,
  bound: AbortSignal,
): Promise<{ turns: TurnSeen[] }> {
  const turns: TurnSeen[] = [];
  for (let after = ''; ;) {
    const query = after === '' ? '' : `&after=${after}`;
    const path = `/v1/sessions/${session.id}/turns?limit=100${query}`;
    const { body } = await caller.ask({ method: 'GET', path }, bound);
    turns.push(...body.items);
    if (body.next === undefined) return { turns };
    after = body.next;
  }
}

async function eventsOf(caller: Caller, session: OpenSession, bound: AbortSignal): Promise<Event[]> {
  const events: Event[] = [];
  for (let after: number | undefined = 0; after !== undefined;) {
    const path = `/v1/sessions/${session.id}/events?after=${String(after)}&limit=1000`;
    const { body } = await caller.ask({ method: 'GET', path }, bound);
    events.push(...body.events);
    after = body.next;
  }
  return events;
}

/** Stops everything by the public way. Returns what is left of it. */
async function stop({ world, caller }: Settling): Promise<History['left']> {
  await world.started();
  const daemon = await world.reach(AbortSignal.timeout(SETTLE_MS)).catch(() => undefined);
  if (daemon !== undefined) {
    world.fell(daemon.pid, 'test');
    world.down = true;
    await caller
      .ask({ method: 'POST', path: '/v1/daemon/stop', body: { now: true } }, AbortSignal.timeout(SETTLE_MS))
      .catch(() => undefined);
    await gone(daemon, SETTLE_MS).catch(() => {
      world.trouble('P5', 'the daemon does not stop');
    });
  }
  const deadline = performance.now() + LEAVE_MS;
  while (world.processes().length > 0 && performance.now() < deadline) await pass(20);
  return world.processes();
}

/** The journal's file itself, past everything that could colour it. */
function journalOf(file: string, session: string): Event[] {
  // A process that is just being ended may hold the lock a moment longer than it can be seen.
  const db = new DatabaseSync(file, { readOnly: true, timeout: LEAVE_MS });
  try {
    const rows = db
      .prepare(
        'SELECT seq, turn, time, type, data FROM events JOIN sessions ON sessions.key = events.sid WHERE sessions.id = ? ORDER BY seq, cursor',
      )
      .all(session);
    return rows.map((row): Event => {
      const { seq, turn, time, type, data } = row;
      return {
        session,
        seq: Number(seq),
        ...(turn === null ? {} : { turn: String(turn) }),
        time: String(time),
        type: String(type),
        data: JSON.parse(String(data)),
      };
    });
  } finally {
    db.close();
  }
}

/** Of the messages with these markers, as agents logged them. */
function receivedIn(file: string): (markers: readonly string[]) => Received[] {
  const all = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line): Received => JSON.parse(line))
    : [];
  return (markers) => {
    const own = new Set(markers);
    return all.filter(({ text }) => own.has(/m\d+x\d+x/.exec(text)?.[0] ?? ''));
  };
}
