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

type Options = DaemonOptions & { readonly journal: Journal; readonly log: Log };

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
    const kept = await (this.#connecting ?? Promise.resolve(this.#kept));
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
    await this.#kept.detach();
  }

  async stop(): Promise<void> {
    this.#leaving = true;
    await this.#kept.stop();
  }

  #watch(kept: KeptHost): void {
    kept.onLost((reason) => {
      if (this.#leaving) return;
      this.#options.log.warn({ reason }, 'the keeper is gone; starting another');
      this.#connecting = this.#again();
      this.#connecting.catch(() => undefined);
    });
  }

  /** Another keeper; what is spawned meanwhile waits for it. */
  async #again(): Promise<KeptHost> {
    try {
      const next = await open(this.#options, this.#port);
      this.#kept = next;
      this.#connecting = undefined;
      this.#watch(next);
      return next;
    } catch (error) {
      this.#options.log.error({ err: error }, 'no keeper could be started');
      throw new PilotlightError('keeper_lost', 'The keeper is gone and no other could be started', {
        fix: 'Run `pilotlight restart`; the log says more (`pilotlight logs`).',
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
