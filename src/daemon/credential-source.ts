/**
 * Credentials that commands of the configuration print: asked for when a process is started, believed until they expire, one run at a time each.
 * Owns what each session's process was started with and until when that is good. Knows no agent.
 */
import type { Printed } from './credential-command.ts';

/** A value is asked for anew this long before it expires, or in the second half of a life that is shorter. */
const MARGIN_MS = 60_000;

interface Had extends Printed {
  /** It is asked for again from then on. */
  readonly until: number;
}

export interface CredentialSourceOptions {
  /** Name → how long a value without an expiry is believed, ms. */
  readonly names: ReadonlyMap<string, number>;
  readonly run: (name: string) => Promise<Printed>;
  readonly now?: () => number;
}

export class CredentialSource {
  readonly #options: CredentialSourceOptions;
  readonly #now: () => number;
  readonly #had = new Map<string, Had>();
  readonly #running = new Map<string, Promise<Had>>();
  readonly #until = new Map<string, number>();

  constructor(options: CredentialSourceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get names(): readonly string[] {
    return [...this.#options.names.keys()];
  }

  /** The values of these names for a session's process that starts now. Rejects when a command fails. */
  async start(session: string, names: readonly string[]): Promise<Record<string, string>> {
    this.#until.delete(session);
    const had = await Promise.all(
      names.map(async (name): Promise<[string, Had]> => [name, await this.#value(name)]),
    );
    const expiries = had.flatMap(([, { expiresAt, until }]) => (expiresAt === undefined ? [] : [until]));
    if (expiries.length > 0) this.#until.set(session, Math.min(...expiries));
    return Object.fromEntries(had.map(([name, { value }]) => [name, value]));
  }

  /** Whether a value that the session's process was started with has expired, or is about to. */
  expired(session: string): boolean {
    return (this.#until.get(session) ?? Infinity) <= this.#now();
  }

  /** The process of one is the other's from now on. */
  handOver(from: string, to: string): void {
    const until = this.#until.get(from);
    this.#until.delete(from);
    if (until !== undefined) this.#until.set(to, until);
  }

  forget(session: string): void {
    this.#until.delete(session);
  }

  async #value(name: string): Promise<Had> {
    const had = this.#had.get(name);
    if (had !== undefined && had.until > this.#now()) return had;
    const running = this.#running.get(name) ?? this.#ask(name);
    this.#running.set(name, running);
    return running;
  }

  async #ask(name: string): Promise<Had> {
    try {
      const printed = await this.#options.run(name);
      const had = { ...printed, until: this.#goodUntil(name, printed) };
      this.#had.set(name, had);
      return had;
    } finally {
      this.#running.delete(name);
    }
  }

  #goodUntil(name: string, { expiresAt }: Printed): number {
    const now = this.#now();
    if (expiresAt === undefined) return now + (this.#options.names.get(name) ?? 0);
    const life = Math.max(0, expiresAt - now);
    return expiresAt - Math.min(MARGIN_MS, life / 2);
  }
}
