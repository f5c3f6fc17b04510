/** Trusted workspaces of a daemon: listed, trusted, trusted no longer. Keeps none. */
import type { WorkspaceView } from '../protocol/index.ts';
import { pageOf, Workspace } from './views.ts';
import type { Wire } from './wire.ts';

export class ClientWorkspaces {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** But for those that the daemon's configuration names. */
  async list(): Promise<readonly WorkspaceView[]> {
    return (await this.#wire.ask({ method: 'GET', path: '/v1/workspaces', answer: pageOf(Workspace) })).items;
  }

  /** The repository that `path` is in, or the directory itself where there is none. */
  trust(path: string): Promise<WorkspaceView> {
    return this.#set(path, true);
  }

  /** `not_found` when it is not on the list. Sessions that there are keep what they have. */
  distrust(path: string): Promise<WorkspaceView> {
    return this.#set(path, false);
  }

  #set(path: string, trusted: boolean): Promise<WorkspaceView> {
    const body = { path, trusted };
    return this.#wire.ask({ method: 'POST', path: '/v1/workspaces', body, answer: Workspace });
  }
}
