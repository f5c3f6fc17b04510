/** The routes of trusted workspaces. Changing the list is for admins: what a repository brings along is run. */
import { TrustWorkspace, type WorkspaceView } from '../protocol/index.ts';
import { readBody } from './body.ts';
import { json } from './answer.ts';
import type { Route } from './route.ts';

/** Where the list is kept. */
export interface WorkspaceDesk {
  list(): readonly WorkspaceView[];
  /** Puts a workspace on the list or takes it off; what stands, or stood, there. */
  set(wish: TrustWorkspace, by: string): Promise<WorkspaceView>;
}

export function workspaceRoutes(desk: WorkspaceDesk | undefined, mostBodyBytes: number): readonly Route[] {
  return desk === undefined ? [] : [list(desk), set(desk, mostBodyBytes)];
}

function list(desk: WorkspaceDesk): Route {
  return {
    method: 'get',
    path: '/v1/workspaces',
    needs: 'nothing',
    doc: {
      summary: 'The workspaces that are trusted, but for those that the configuration names',
      answer: { status: 200, schema: 'WorkspaceList' },
      errors: [],
    },
    handle: () => json({ items: desk.list() }),
  };
}

function set(desk: WorkspaceDesk, mostBodyBytes: number): Route {
  return {
    method: 'post',
    path: '/v1/workspaces',
    needs: 'nothing',
    doc: {
      summary: 'Trust a workspace, or do so no longer; for sessions created from now on',
      body: 'TrustWorkspace',
      answer: { status: 200, schema: 'Workspace' },
      errors: ['not_found', 'bad_cwd', 'limit', 'journal_full'],
    },
    handle: async (call) => {
      const { value } = await readBody(call, TrustWorkspace, mostBodyBytes);
      return json(await desk.set(value, call.asker.name));
    },
  };
}
