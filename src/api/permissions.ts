/** The permission routes: what agents ask, and the answers. */
import { AnswerPermission } from '../protocol/index.ts';
import type { Commands } from './command.ts';
import { json } from './answer.ts';
import { param, type Route } from './route.ts';

const PERMISSIONS = '/v1/sessions/{id}/permissions';

export function permissionRoutes(commands: Commands): readonly Route[] {
  return [list(), answer(commands)];
}

function list(): Route {
  return {
    method: 'get',
    path: PERMISSIONS,
    needs: 'host',
    doc: {
      summary: 'The open permission requests of a session',
      answer: { status: 200, schema: 'PermissionList' },
      errors: ['not_found'],
    },
    handle: (call, host) => json({ items: host.permissions(param(call, 'id')) }),
  };
}

function answer(commands: Commands): Route {
  const route = `${PERMISSIONS}/{requestId}`;
  return {
    method: 'post',
    path: route,
    needs: 'host',
    doc: {
      summary: 'Answer a permission request, once',
      body: 'AnswerPermission',
      keyed: true,
      answer: { status: 200, schema: 'Permission' },
      errors: ['bad_request', 'not_found', 'already_resolved', 'unsupported', 'journal_full'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      const request = param(call, 'requestId');
      return commands.run(call, host, {
        // The request is part of what the key is for.
        route: `${PERMISSIONS}/${request}`,
        session,
        body: AnswerPermission,
        status: 200,
        act: (host, body, caller) => host.answer(session, { ...body, request }, caller),
      });
    },
  };
}
