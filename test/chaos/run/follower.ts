/**
 * A client that follows a session by SSE, stops reading, leaves and comes back anywhere.
 * Keeps what it saw, leg by leg. Judges nothing.
 */
import { setTimeout as pass } from 'node:timers/promises';
import type { Event } from '../../support/daemon.ts';
import type { Follower, Leg } from '../oracle/history.ts';
import type { PlannedLeg } from '../plan/client.ts';
import type { World } from './world.ts';

type OpenLeg = { -readonly [K in keyof Leg]: Leg[K] extends readonly (infer T)[] ? T[] : Leg[K] };

export class ChaosFollower implements Follower {
  readonly legs: OpenLeg[] = [];
  readonly #world: World;
  readonly #path: string;
  #last = 0;

  /** Of one session (ids are its seqs), or of all (ids are cursors). */
  constructor(world: World, session: string | undefined) {
    this.#world = world;
    this.#path = session === undefined ? '/v1/events' : `/v1/sessions/${session}/events`;
  }

  /** Follows as planned until `signal`. */
  async run(plan: readonly PlannedLeg[], signal: AbortSignal): Promise<void> {
    for (const { readMs, stallMs, from } of plan) {
      if (signal.aborted) return;
      await this.#leg({ after: this.#last, signal, readMs, stallMs }).catch(() => pass(20));
      if (from !== 'last') this.#last = Math.floor(this.#last * from);
    }
  }

  /** One more leg, until it has seen `seq`. Resolves with whether it did. */
  async finish(seq: number, signal: AbortSignal): Promise<boolean> {
    this.#last = this.legs.flatMap(({ seen }) => seen.at(-1)?.id ?? 0).reduce((a, b) => Math.max(a, b), 0);
    while (this.#last < seq && !signal.aborted)
      await this.#leg({ after: this.#last, signal, until: seq }).catch(() => pass(20));
    return this.#last >= seq;
  }

  /** One more leg, until all that there is has come. */
  async finishLive(signal: AbortSignal): Promise<boolean> {
    this.#last = 0;
    while (!signal.aborted)
      try {
        await this.#leg({ after: 0, signal, until: 'live' });
        return true;
      } catch {
        await pass(20);
      }
    return false;
  }

  async #leg(options: {
    readonly after: number;
    readonly signal: AbortSignal;
    readonly readMs?: number;
    readonly stallMs?: number;
    readonly until?: number | 'live';
  }): Promise<void> {
    const { after, signal, readMs, stallMs = 0, until } = options;
    const leave = new AbortController();
    const stop = AbortSignal.any([
      leave.signal,
      signal,
      ...(readMs === undefined ? [] : [AbortSignal.timeout(readMs + stallMs)]),
    ]);
    const access = await this.#world.reach(signal);
    const response = await fetch(`${access.url}${this.#path}`, {
      headers: {
        authorization: `Bearer ${access.token}`,
        accept: 'text/event-stream',
        'last-event-id': String(after),
      },
      signal: stop,
    });
    if (!response.ok || response.body === null) throw new Error(`follow: ${String(response.status)}`);
    const leg: OpenLeg = { after, seen: [], breaks: [] };
    this.legs.push(leg);
    const ends = readMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + readMs;
    let rest = '';
    try {
      let live = false;
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        const frames = (rest + chunk).split('\n\n');
        rest = frames.pop() ?? '';
        for (const frame of frames) live = this.#heard(leg, frame) || live;
        if (until === 'live' ? live : until !== undefined && this.#last >= until) return;
        // It is connected and takes nothing, until the leg is over.
        if (performance.now() > ends) return await pass(stallMs);
      }
    } finally {
      leave.abort();
    }
  }

  /** Whether the frame says that what follows is live. */
  #heard(leg: OpenLeg, frame: string): boolean {
    const data = /^data: (.*)$/m.exec(frame)?.[1];
    const type = /^event: (.*)$/m.exec(frame)?.[1] ?? '';
    if (data === undefined || type === 'stream.ready') return data !== undefined;
    if (type.startsWith('stream.')) {
      leg.breaks.push(`${type} ${data}`);
      return false;
    }
    const id = Number(/^id: (\d+)$/m.exec(frame)?.[1]);
    const event: Event = JSON.parse(data);
    leg.seen.push({ id, event });
    this.#last = id;
    return false;
  }
}
