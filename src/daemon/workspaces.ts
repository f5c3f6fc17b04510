/**
 * Workspaces that somebody trusted: `trusted.json` in the home (0600), and `workspace.trusted` of the configuration.
 * Owns the list. What it means for an agent is the dialects' business.
 */
import { z } from 'zod';
import type { WorkspaceDesk } from '../api/index.ts';
import type { HostPorts } from '../host/index.ts';
import { PilotlightError, WorkspaceView, type TrustWorkspace } from '../protocol/index.ts';
import {
  foundOf,
  groundOf,
  isConfigured,
  isListed,
  patternOf,
  rootsOf,
  workspaceOf,
  type Ground,
} from '../workspace/index.ts';
import { readPrivate, writePrivate } from './token-file.ts';

const MOST_WORKSPACES = 10_000;

const TrustFile = z.object({ version: z.literal(1), workspaces: z.array(WorkspaceView) });

export interface WorkspacesOptions {
  /** Absent: what is trusted is forgotten with this process. */
  readonly file?: string;
  /** `workspace.trusted`. */
  readonly trusted: readonly string[];
  /** Names of files and directories of a repository that an agent reads by itself. */
  readonly reads: (agent: string) => readonly string[];
}

/** Throws `bad_request` for a list that cannot be trusted itself. */
export function openWorkspaces(options: WorkspacesOptions): Workspaces {
  return new Workspaces(options);
}

export class Workspaces implements WorkspaceDesk {
  readonly #options: WorkspacesOptions;
  readonly #patterns: Promise<readonly RegExp[]>;
  #listed: ReadonlyMap<string, WorkspaceView>;

  constructor(options: WorkspacesOptions) {
    this.#options = options;
    this.#listed = new Map(
      (options.file === undefined ? [] : read(options.file)).map((one) => [one.path, one]),
    );
    this.#patterns = Promise.all(options.trusted.map(patternOf));
  }

  /** What a session that is to work there should know. */
  look: HostPorts['look'] = async (cwd, agent) => {
    const ground = await groundOf(cwd);
    return {
      trusted: await this.#isTrusted(ground),
      leftOut: await foundOf(ground, this.#options.reads(agent)),
    };
  };

  /** Names by which an agent may know the directory. One that is gone is known by its own. */
  async roots(cwd: string): Promise<readonly string[]> {
    return groundOf(cwd).then(rootsOf, () => [cwd]);
  }

  list(): readonly WorkspaceView[] {
    return [...this.#listed.values()];
  }

  async set({ path, trusted }: TrustWorkspace, by: string): Promise<WorkspaceView> {
    if (!trusted) return this.#forget(path);
    const workspace = workspaceOf(await existing(path));
    const known = this.#listed.get(workspace);
    if (known !== undefined) return known;
    if (this.#listed.size >= MOST_WORKSPACES)
      throw new PilotlightError('limit', `There are ${String(MOST_WORKSPACES)} trusted workspaces`, {
        fix: 'Take some off the list, or name a directory above them in workspace.trusted of config.toml.',
      });
    const view = { path: workspace, trustedAt: new Date().toISOString(), by };
    this.#keep([...this.#listed.values(), view]);
    return view;
  }

  /** By what stands on the list, or by a directory in it; one that is gone by its name. */
  async #forget(path: string): Promise<WorkspaceView> {
    const meant = await groundOf(path).then(workspaceOf, () => path);
    const known = this.#listed.get(meant) ?? this.#listed.get(path);
    if (known === undefined)
      throw new PilotlightError('not_found', `${meant} is not on the list of trusted workspaces`, {
        fix: '`pilotlight trust --list` shows it; workspace.trusted of config.toml is another one.',
      });
    this.#keep([...this.#listed.values()].filter((one) => one !== known));
    return known;
  }

  async #isTrusted(ground: Ground): Promise<boolean> {
    return isListed(ground, new Set(this.#listed.keys())) || isConfigured(ground, await this.#patterns);
  }

  /** On the disk first: what was answered holds after a crash. */
  #keep(workspaces: readonly WorkspaceView[]): void {
    const { file } = this.#options;
    if (file !== undefined) writePrivate(file, { version: 1, workspaces });
    this.#listed = new Map(workspaces.map((one) => [one.path, one]));
  }
}

function read(file: string): readonly WorkspaceView[] {
  const text = readPrivate(file, 'list of trusted workspaces');
  if (text === undefined) return [];
  try {
    return TrustFile.parse(JSON.parse(text)).workspaces;
  } catch (cause) {
    throw new PilotlightError('bad_request', `The list of trusted workspaces ${file} cannot be read`, {
      fix: 'Mend it, or delete it: then no workspace is trusted by it.',
      cause,
    });
  }
}

async function existing(path: string): Promise<Ground> {
  try {
    return await groundOf(path);
  } catch (cause) {
    throw new PilotlightError('bad_cwd', `${path} does not exist`, {
      fix: 'Give the absolute path of a directory that exists.',
      cause,
    });
  }
}
