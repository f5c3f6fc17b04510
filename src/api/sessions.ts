/** The session routes. */
import { CreateSession, UpdateSession } from '../protocol/index.ts';
import { NoBody } from './bodies.ts';
import type { Commands } from './command.ts';
import { afterIdOf, limitOf, stateOf } from './query.ts';
import { json } from './answer.ts';
import { param, type QueryDoc, type Route } from './route.ts';

export const PAGE_QUERY: readonly QueryDoc[] = [
  { name: 'limit', type: 'integer', description: '1 to 1000, default 100' },
  { name: 'after', type: 'string', description: 'the `next` of the page before' },
];

export function sessionRoutes(commands: Commands): readonly Route[] {
  return [create(commands), list(), get(), update(commands), close(commands)];
}

function create(commands: Commands): Route {
  const route = '/v1/sessions';
  return {
    method: 'post',
    path: route,
    needs: 'host',
    work: true,
    doc: {
      summary: 'Create a session',
      body: 'CreateSession',
      keyed: true,
      answer: { status: 201, schema: 'Session' },
      errors: [
        'unknown_agent',
        'bad_cwd',
        'agent_unavailable',
        'unsupported',
        'agent_session_in_use',
        'limit',
        'journal_full',
      ],
    },
    handle: (call, host) =>
      commands.run(call, host, {
        route,
        body: CreateSession,
        status: 201,
        act: async (host, body, caller) => {
          const answered = await host.create(body, caller);
          call.facts.session = answered.value.id;
          return answered;
        },
      }),
  };
}

function list(): Route {
  return {
    method: 'get',
    path: '/v1/sessions',
    needs: 'host',
    doc: {
      summary: 'Sessions in order of birth',
      query: [{ name: 'state', type: 'string', description: 'only sessions in this state' }, ...PAGE_QUERY],
      answer: { status: 200, schema: 'SessionList' },
      errors: ['bad_request'],
    },
    handle: ({ query }, host) =>
      json(host.list({ ...stateOf(query), ...afterIdOf(query), limit: limitOf(query) })),
  };
}

function get(): Route {
  return {
    method: 'get',
    path: '/v1/sessions/{id}',
    needs: 'host',
    doc: { summary: 'One session', answer: { status: 200, schema: 'Session' }, errors: ['not_found'] },
    handle: (call, host) => json(host.get(param(call, 'id'))),
  };
}

function update(commands: Commands): Route {
  const route = '/v1/sessions/{id}';
  return {
    method: 'patch',
    path: route,
    needs: 'host',
    doc: {
      summary: 'Change a session',
      body: 'UpdateSession',
      keyed: true,
      answer: { status: 200, schema: 'Session' },
      errors: ['not_found', 'session_closed', 'unsupported', 'journal_full'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      return commands.run(call, host, {
        route,
        session,
        body: UpdateSession,
        status: 200,
        act: (host, body, caller) => host.update(session, body, caller),
      });
    },
  };
}

function close(commands: Commands): Route {
  const route = '/v1/sessions/{id}';
  return {
    method: 'delete',
    path: route,
    needs: 'host',
    doc: {
      summary: 'Close a session: turns end, its process ends, events stay',
      keyed: true,
      answer: { status: 200, schema: 'Session' },
      errors: ['not_found'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      return commands.run(call, host, {
        route,
        session,
        body: NoBody,
        status: 200,
        act: (host, _body, caller) => host.close(session, caller),
      });
    },
  };
}
