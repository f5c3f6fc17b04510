/** How much is served at a time. Owns the counting; what is refused says what is full and what to do (429 `limit`). */
import { PilotlightError } from '../protocol/index.ts';

export interface ApiLimits {
  /** Bodies over this are 413. Default 10 MiB. */
  readonly bodyBytes: number;
  /** The comment that shows life on an idle stream. Default 15 s. */
  readonly pingMs: number;
  /** Event streams at a time, of everybody and of one token. Default 1024 and 512. */
  readonly streams: number;
  readonly streamsPerToken: number;
  /** Requests being answered at a time, streams not counted, of everybody and of one token. Default 1024 and 512. */
  readonly requests: number;
  readonly requestsPerToken: number;
}

export const DEFAULT_LIMITS: ApiLimits = {
  bodyBytes: 10 * 1024 * 1024,
  pingMs: 15_000,
  streams: 1024,
  streamsPerToken: 512,
  requests: 1024,
  requestsPerToken: 512,
};

export interface PlaceLimits {
  readonly most: number;
  /** Of one token: nobody keeps all the others out. */
  readonly mostEach: number;
  /** "event streams are open" */
  readonly what: string;
  readonly fix: string;
}

/** Places that are taken and given back. */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Takes one for this token; what it returns gives it back, once. Throws `limit`. */
  take(token: string): () => void {
    const { most, mostEach, what, fix } = this.#limits;
    const own = this.#taken.get(token) ?? 0;
    if (this.#all >= most) throw full(`${String(this.#all)} ${what}`, fix, most);
    if (own >= mostEach) throw full(`${String(own)} ${what} with this token`, fix, mostEach);
    this.#all += 1;
    this.#taken.set(token, own + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#all -= 1;
      const left = (this.#taken.get(token) ?? 1) - 1;
      if (left === 0) this.#taken.delete(token);
      else this.#taken.set(token, left);
    };
  }
}

function full(message: string, fix: string, most: number): PilotlightError {
  return new PilotlightError('limit', message, { fix, detail: { most } });
}
