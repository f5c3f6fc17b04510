/**
 * Everything the demo stands on: a fake model, a daemon in a temporary home, homes for the agents. Ends all of it, whatever happens.
 * Not below the temporary directory: Codex's sandbox does not work there.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectHome, type PilotlightClient } from '../../client/index.ts';
import { sleep } from '../../async/after.ts';
import { startFakeModel, type FakeModel } from '../../testing/index.ts';
import type { Context } from '../context.ts';
import { answers, ended, keeperLives, launch, ownCommand, recordedDaemon, startOrFind } from '../launch.ts';

/** An agent that hangs must not hold up a demo for minutes. */
const BOUNDS = '[runtime]\ninactivityTimeoutMs = 20000\nfirstTurnTimeoutMs = 30000\n';
const END_MS = 30_000;
const SETTLE_MS = 2500;

export interface Actor {
  readonly name: 'claude' | 'codex';
  readonly title: string;
  readonly binary: string;
  readonly env: Readonly<Record<string, string>>;
}

export class Stage implements AsyncDisposable {
  readonly root: string;
  readonly home: string;
  readonly cwd: string;
  readonly actors: readonly Actor[];
  readonly absent: readonly string[];
  readonly #model: FakeModel;
  readonly #cleared = new AbortController();
  #changedAt = performance.now();
  #ending: Promise<void> | undefined;

  /** `interrupted` clears it at once, wherever the tour is. */
  static async set(context: Context, interrupted: AbortSignal): Promise<Stage> {
    const model = await startFakeModel();
    const stage = new Stage(context, model);
    interrupted.addEventListener('abort', () => void stage[Symbol.asyncDispose]().catch(() => undefined));
    try {
      // An abort from before the listener stood would go unheard.
      interrupted.throwIfAborted();
      await startOrFind(stage.home, ['--port', '0']);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(context: Context, model: FakeModel) {
    this.#model = model;
    this.root = folder(context);
    this.home = join(this.root, 'home');
    this.cwd = join(this.root, 'work');
    for (const name of ['home', 'work', 'user', 'claude', 'codex'])
      mkdirSync(join(this.root, name), { mode: 0o700 });
    writeFileSync(join(this.root, 'codex', 'config.toml'), codexConfig(model.url));
    const found = [claude(context, this.root, model.url), codex(context, this.root)];
    this.actors = found.filter((actor) => actor !== undefined);
    this.absent = ['Claude Code', 'Codex'].filter((_, at) => found[at] === undefined);
    const paths = this.actors.map(
      ({ name, binary }) => `[agents.${name}]\npath = ${JSON.stringify(binary)}\n`,
    );
    writeFileSync(join(this.home, 'config.toml'), BOUNDS + paths.join(''));
  }

  /** Aborts when the stage is cleared: whatever else runs on it ends then. */
  get cleared(): AbortSignal {
    return this.#cleared.signal;
  }

  get modelUrl(): string {
    return this.#model.url;
  }

  release(gate: string): void {
    this.#model.release(gate);
  }

  client(): Promise<PilotlightClient> {
    return connectHome({ home: this.home });
  }

  /** kill -9 of the daemon; gives its pid. */
  async kill(): Promise<number> {
    const daemon = recordedDaemon(this.home);
    if (daemon === undefined) throw new Error('the demo has no daemon');
    // The one signal that leaves no time for anything: that is what is shown.
    process.kill(daemon.pid, 9);
    this.#changedAt = performance.now();
    await ended(daemon, 10_000);
    return daemon.pid;
  }

  /** The next daemon: the keeper starts one by itself; one of ours otherwise. */
  async revive(): Promise<{ readonly pid: number }> {
    if (this.cleared.aborted) throw new Error('the stage is cleared');
    return startOrFind(this.home, ['--port', '0']);
  }

  async memory(): Promise<{ readonly daemonMb: number; readonly keeperMb: number }> {
    const status = await (await this.client()).status();
    return { daemonMb: status.daemon.rssMb, keeperMb: status.keeper?.rssMb ?? 0 };
  }

  /** After a kill the keeper and we both start a daemon; the one that comes too late leaves by itself, a moment later. */
  async #settle(): Promise<void> {
    await sleep(Math.max(0, SETTLE_MS - (performance.now() - this.#changedAt)));
  }

  async #endOnce(): Promise<void> {
    const daemon = await answers(this.home);
    if (daemon === undefined) {
      await launch(this.home, ownCommand(this.home, ['--stop-keeper', '--port', '0']));
      return;
    }
    await (await this.client()).stop({ now: true });
    await ended(daemon, 10_000);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#cleared.abort();
    try {
      const deadline = performance.now() + END_MS;
      await this.#settle();
      while (recordedDaemon(this.home) !== undefined || keeperLives(this.home)) {
        if (performance.now() > deadline) throw new Error(`The demo's daemon in ${this.home} does not end`);
        // What fails is tried again: a daemon may be coming up or leaving just now.
        await this.#endOnce().catch(() => sleep(200));
      }
    } finally {
      await this.#model.close();
      rmSync(this.root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  }
}

/** A folder of the checkout, the user's cache, or here: the first that can be written. */
function folder({ env }: Context): string {
  const checkout = fileURLToPath(new URL('../../..', import.meta.url));
  const cache =
    env['XDG_CACHE_HOME'] ?? (env['HOME'] === undefined ? undefined : join(env['HOME'], '.cache'));
  const places = [
    existsSync(join(checkout, 'tools', 'node')) ? join(checkout, '.scratch') : undefined,
    cache,
    process.cwd(),
  ];
  for (const place of places) {
    if (place === undefined) continue;
    try {
      mkdirSync(place, { recursive: true });
      return realpathSync(mkdtempSync(join(place, 'pilotlight-demo-')));
    } catch {
      // The next one, perhaps.
    }
  }
  throw new Error('There is no folder that the demo can use');
}

function baseEnvironment({ env }: Context, root: string): Record<string, string> {
  return {
    HOME: join(root, 'user'),
    PATH: env['PATH'] ?? '/usr/bin:/bin',
    LANG: env['LANG'] ?? 'C.UTF-8',
    GIT_CEILING_DIRECTORIES: root,
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
}

function claude(context: Context, root: string, url: string): Actor | undefined {
  const binary = installed(context, 'claude');
  if (binary === undefined) return undefined;
  const env = {
    ...baseEnvironment(context, root),
    CLAUDE_CONFIG_DIR: join(root, 'claude'),
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'sk-ant-made-up',
    // Root may bypass permissions only where it says that it is in a sandbox.
    ...(process.getuid?.() === 0 ? { IS_SANDBOX: '1' } : {}),
  };
  return { name: 'claude', title: 'Claude Code', binary, env };
}

function codex(context: Context, root: string): Actor | undefined {
  const found = installed(context, 'codex');
  if (found === undefined) return undefined;
  const env = { ...baseEnvironment(context, root), CODEX_HOME: join(root, 'codex'), MOCK_KEY: 'made-up' };
  return { name: 'codex', title: 'Codex', binary: nativeCodex(found), env };
}

/** Of the checkout first, then of PATH. */
function installed({ env }: Context, command: string): string | undefined {
  const own = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
  return [own, ...(env['PATH'] ?? '').split(delimiter)]
    .map((place) => join(place, command))
    .find(isExecutable);
}

/** npm's command for Codex is a Node script in front of the binary. */
function nativeCodex(command: string): string {
  const scope = join(dirname(realpathSync(command)), '..', '..');
  for (const name of entries(scope).filter((entry) => entry.startsWith('codex-')))
    for (const triple of entries(join(scope, name, 'vendor'))) {
      const binary = join(scope, name, 'vendor', triple, 'bin', 'codex');
      if (isExecutable(binary)) return binary;
    }
  return command;
}

function entries(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function codexConfig(url: string): string {
  return `model = "gpt-5.5"
model_provider = "mock"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.mock]
name = "mock"
base_url = "${url}/v1"
env_key = "MOCK_KEY"
wire_api = "responses"
`;
}
