/** What the pool has ended of late and why, for whoever asks for the status; each is an event of its session, too. Owns the newest few. */
import type { Lease } from '../pool/index.ts';
import type { StatusView } from '../protocol/index.ts';
import { pidOf, type Place } from './place.ts';
import type { HostedProcess } from './ports.ts';

export type LetGo = NonNullable<StatusView['pool']['ended']>[number];

const MOST = 10;

export class LetGoes {
  readonly #runtime: (id: string) => HostedProcess | undefined;
  #newest: readonly LetGo[] = [];

  constructor(runtime: (id: string) => HostedProcess | undefined) {
    this.#runtime = runtime;
  }

  /** Newest first. */
  get newest(): readonly LetGo[] {
    return this.#newest;
  }

  /** Before its process is told to end; what is given back is called behind that. Its session may have declined. */
  noting(lease: Lease, place: Place | undefined, why: Pick<LetGo, 'reason' | 'words'>): () => void {
    const pid = pidOf(place, this.#runtime(lease.runtime));
    return () => {
      const sessions = place === undefined ? [] : [...place.seats];
      const stays = sessions.some(([seat, { session }]) => {
        const link = session.state.runtime;
        return link.kind === 'ready' && link.id === seat;
      });
      if (stays) return;
      const one = { at: new Date().toISOString(), sessions: [...lease.sessions], ...why };
      this.#newest = [pid === undefined ? one : { ...one, pid }, ...this.#newest.slice(0, MOST - 1)];
    };
  }
}
