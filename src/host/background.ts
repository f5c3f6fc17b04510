/** Background tasks of a process that serves one session: since when they run, and the rest that their end is given. Owns the timers of it. */
import { after } from '../async/after.ts';
import { holdOf } from '../session/hold.ts';
import { soleOf, wake, type Place } from './place.ts';

export interface BackgroundPorts {
  /** Awake ms. */
  readonly now: () => number;
  readonly restMs: number;
  /** A place has had its rest. */
  readonly rested: (place: Place) => void;
}

export class Background {
  readonly #ports: BackgroundPorts;

  constructor(ports: BackgroundPorts) {
    this.#ports = ports;
  }

  /** What the state of its session says of a place, as times of our clock. */
  note(place: Place): void {
    const session = soleOf(place);
    if (session === undefined) return;
    const { runtime } = session.state;
    const tasks = runtime.kind === 'ready' ? (runtime.tasks ?? 0) : 0;
    const ended = tasks === 0 && place.backgroundAt !== undefined;
    if (tasks === 0) place.backgroundAt = undefined;
    else place.backgroundAt ??= this.#ports.now();
    const left = place.perMessage && runtime.kind === 'ready' && holdOf(session.state) === undefined;
    if (ended || (left && place.resting === undefined)) this.#rest(place);
    else if (holdOf(session.state) !== undefined) wake(place);
  }

  /** For a while its process stays though nothing is open; then one of a single message goes, and others may be ended for whoever waits. */
  #rest(place: Place): void {
    wake(place);
    place.resting = after(this.#ports.restMs, () => {
      place.resting = undefined;
      place.restsSince = this.#ports.now();
      this.#ports.rested(place);
    });
  }
}
