/** The turn routes. */
import { InterruptTurn, SendTurn } from '../protocol/index.ts';
import { NoBody } from './bodies.ts';
import type { Commands } from './command.ts';
import { afterIdOf, limitOf } from './query.ts';
import { json } from './answer.ts';
import { param, type Route } from './route.ts';
import { checkScope } from './scopes.ts';
import { PAGE_QUERY } from './sessions.ts';

const TURNS = '/v1/sessions/{id}/turns';

export function turnRoutes(commands: Commands): readonly Route[] {
  return [send(commands), list(), get(), takeBack(commands), interrupt(commands)];
}

function send(commands: Commands): Route {
  return {
    method: 'post',
    path: TURNS,
    needs: 'host',
    work: true,
    doc: {
      summary: 'Send a message; answered once it is durable',
      body: 'SendTurn',
      keyed: true,
      answer: { status: 202, schema: 'Turn' },
      errors: ['not_found', 'turn_in_progress', 'session_closed', 'unsupported', 'limit', 'journal_full'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      return commands.run(call, host, {
        route: TURNS,
        session,
        body: SendTurn,
        status: 202,
        act: (host, body, caller) => {
          // Whose account an agent works on is a setting of the session.
          if (body.credentials !== undefined) checkScope(call.asker, 'admin');
          return host.send(session, body, caller);
        },
      });
    },
  };
}

function list(): Route {
  return {
    method: 'get',
    path: TURNS,
    needs: 'host',
    doc: {
      summary: 'Turns of a session in order of birth',
      query: PAGE_QUERY,
      answer: { status: 200, schema: 'TurnList' },
      errors: ['bad_request', 'not_found'],
    },
    handle: (call, host) =>
      json(host.turns(param(call, 'id'), { ...afterIdOf(call.query), limit: limitOf(call.query) })),
  };
}

function get(): Route {
  return {
    method: 'get',
    path: `${TURNS}/{turnId}`,
    needs: 'host',
    doc: { summary: 'One turn', answer: { status: 200, schema: 'Turn' }, errors: ['not_found'] },
    handle: (call, host) => json(host.turn(param(call, 'id'), param(call, 'turnId'))),
  };
}

function takeBack(commands: Commands): Route {
  const route = `${TURNS}/{turnId}`;
  return {
    method: 'delete',
    path: route,
    needs: 'host',
    doc: {
      summary: 'Take a queued turn back: it ends with turn.interrupted',
      keyed: true,
      answer: { status: 200, schema: 'Turn' },
      errors: ['not_found', 'turn_in_progress', 'no_turn', 'journal_full'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      const turn = param(call, 'turnId');
      return commands.run(call, host, {
        route: `${TURNS}/${turn}`,
        session,
        body: NoBody,
        status: 200,
        act: (host, _body, caller) => host.takeBack(session, turn, caller),
      });
    },
  };
}

function interrupt(commands: Commands): Route {
  const route = '/v1/sessions/{id}/interrupt';
  return {
    method: 'post',
    path: route,
    needs: 'host',
    doc: {
      summary: 'Interrupt the running turn; the agent may still finish first',
      body: 'InterruptTurn',
      bodyOptional: true,
      keyed: true,
      answer: { status: 202, schema: 'Turn' },
      errors: ['not_found', 'no_turn', 'session_closed', 'unsupported'],
    },
    handle: (call, host) => {
      const session = param(call, 'id');
      return commands.run(call, host, {
        route,
        session,
        body: InterruptTurn,
        status: 202,
        act: (host, body, caller) => host.interrupt(session, body, caller),
      });
    },
  };
}
