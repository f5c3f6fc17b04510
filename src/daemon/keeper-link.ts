/**
 * The daemon's hold on its keeper: one connection, made again when the keeper dies.
 * Children of a keeper that died are lost (their listeners hear it); what is started next waits for the next keeper.
 */
import { connectKeeper, type KeptHost } from '../keeper/index.ts';
import type { Child, ChildHost, ChildListener, ProcessIdentity, SpawnSpec } from '../process/ports.ts';
import { PilotlightError, VERSION } from '../protocol/index.ts';
import type { Journal } from '../session/ports.ts';
import type { DaemonOptions } from './daemon.ts';
import type { Log } from './log.ts';

type Options = DaemonOptions & {
  readonly journal: Pick<Journal, 'homeId' | 'generation'>;
  readonly log: Log;
};

export class KeeperLink implements ChildHost {
  readonly #options: Options;
  #kept: KeptHost;
  #connecting: Promise<KeptHost> | undefined;
  #leaving = false;
  #port: number;

  static async connect(options: Options): Promise<KeeperLink> {
    const port = options.config.server.port;
    return new KeeperLink(options, await open(options, port), port);
  }

  private constructor(options: Options, kept: KeptHost, port: number) {
    this.#options = options;
    this.#kept = kept;
    this.#port = port;
    this.#watch(kept);
  }

  /** The port that the daemon really has: where the keeper starts it again. */
  restartWith(port: number): void {
    this.#port = port;
    this.#kept.restartWith(restartCommand(this.#options, port));
  }

  about():
    | { readonly identity: ProcessIdentity; readonly version: string; readonly children: number }
    | undefined {
    const { identity, version } = this.#kept;
    return { identity, version, children: this.#kept.childCount() };
  }

  async spawn(spec: SpawnSpec, listener: ChildListener): Promise<Child> {
    const kept = await this.#current();
    return kept.spawn(spec, listener);
  }

  attach(id: string, from: number, listener: ChildListener): Child | undefined {
    return this.#kept.attach(id, from, listener);
  }

  unclaimed(): readonly string[] {
    return this.#kept.unclaimed();
  }

  discard(id: string): void {
    this.#kept.discard(id);
  }

  async detach(): Promise<void> {
    this.#leaving = true;
    await this.#settled();
    await this.#kept.detach();
  }

  async stop(): Promise<void> {
    this.#leaving = true;
    await this.#settled();
    await this.#kept.stop();
  }

  /** This daemon could not start. A keeper that has agents starts another in its place; one that has none is let go. */
  async abandon(): Promise<void> {
    if (this.#kept.childCount() === 0) return this.detach();
    this.#leaving = true;
    this.#kept.vanish();
  }

  /** The keeper that there is, or the one that is being had in its place. After a failure the next call tries again. */
  #current(): Promise<KeptHost> {
    if (this.#connecting === undefined && this.#kept.lost) this.#connect(Promise.resolve());
    return this.#connecting ?? Promise.resolve(this.#kept);
  }

  /** No other keeper is being had any more: the one there is, is the one to leave. */
  async #settled(): Promise<void> {
    await this.#connecting?.catch(() => undefined);
  }

  #watch(kept: KeptHost): void {
    kept.onLost((reason, reaped) => {
      if (this.#leaving) return;
      this.#options.log.warn({ reason }, 'the keeper is gone; starting another');
      this.#connect(reaped);
    });
  }

  /** Another keeper, once what the last one held is gone; what is spawned meanwhile waits for it. */
  #connect(reaped: Promise<void>): void {
    const connecting = reaped.then(() => this.#again());
    this.#connecting = connecting;
    connecting
      .catch(() => undefined)
      .finally(() => {
        if (this.#connecting === connecting) this.#connecting = undefined;
      });
  }

  async #again(): Promise<KeptHost> {
    try {
      const next = await open(this.#options, this.#port);
      // The same one again, when only the connection was lost: its children were told as lost, and others will be started in their place.
      await next.discardUnclaimed();
      this.#kept = next;
      this.#watch(next);
      return next;
    } catch (error) {
      this.#options.log.error({ err: error }, 'no keeper could be had');
      throw new PilotlightError('keeper_lost', 'The keeper is gone and no other could be had', {
        fix: 'Send again, or run `pilotlight restart`; the log says more (`pilotlight logs`).',
        cause: error,
      });
    }
  }
}

function open(options: Options, port: number): Promise<KeptHost> {
  return connectKeeper({
    home: options.home.path,
    homeId: options.journal.homeId,
    generation: options.journal.generation,
    version: VERSION,
    restartCommand: restartCommand(options, port),
    env: options.env,
    graceMs: options.config.keeper.graceMs,
    ladder: options.config.ladder,
    onError: (error) => {
      options.log.error({ err: error }, 'unexpected');
    },
  });
}

function restartCommand(
  options: Options,
  port: number,
): {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
} {
  const args = [...withoutPort(options.command.args), '--port', String(port)];
  const env = Object.fromEntries(
    Object.entries(options.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return { file: options.command.file, args, cwd: options.home.path, env };
}

function withoutPort(args: readonly string[]): string[] {
  const at = args.indexOf('--port');
  const kept = at === -1 ? [...args] : [...args.slice(0, at), ...args.slice(at + 2)];
  return kept.filter((arg) => arg !== '--wait' && !arg.startsWith('--port='));
}
