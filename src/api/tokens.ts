/** The routes of scoped tokens. All are for admins, the list too; there is no idempotency key here: an answer with a token in it is kept nowhere. */
import { CreateToken, type NewToken, type TokenView } from '../protocol/index.ts';
import { NoBody } from './bodies.ts';
import { readBody } from './body.ts';
import { json } from './answer.ts';
import { param, type Route } from './route.ts';

/** Where tokens are kept. */
export interface TokenDesk {
  list(): readonly TokenView[];
  create(wish: CreateToken): NewToken;
  /** What it was; `not_found` when there is none. Streams of it end before this returns. */
  revoke(id: string): TokenView;
}

export function tokenRoutes(desk: TokenDesk | undefined, mostBodyBytes: number): readonly Route[] {
  if (desk === undefined) return [];
  return [create(desk, mostBodyBytes), list(desk), revoke(desk, mostBodyBytes)];
}

function create(desk: TokenDesk, mostBodyBytes: number): Route {
  return {
    method: 'post',
    path: '/v1/tokens',
    needs: 'nothing',
    doc: {
      summary: 'Make a token; its text is in this answer and nowhere else',
      body: 'CreateToken',
      answer: { status: 201, schema: 'NewToken' },
      errors: ['limit', 'journal_full'],
    },
    handle: async (call) => {
      const { value } = await readBody(call, CreateToken, mostBodyBytes);
      const made = desk.create(value);
      call.facts.token = made.id;
      return json(made, 201);
    },
  };
}

function list(desk: TokenDesk): Route {
  return {
    method: 'get',
    path: '/v1/tokens',
    needs: 'nothing',
    doc: {
      summary: "The tokens that are valid, without their text; the home's own is not among them",
      answer: { status: 200, schema: 'TokenList' },
      errors: [],
    },
    handle: () => json({ items: desk.list() }),
  };
}

function revoke(desk: TokenDesk, mostBodyBytes: number): Route {
  return {
    method: 'delete',
    path: '/v1/tokens/{id}',
    needs: 'nothing',
    doc: {
      summary: 'Revoke a token: it opens nothing more, and its event streams end',
      answer: { status: 200, schema: 'Token' },
      errors: ['not_found', 'journal_full'],
    },
    handle: async (call) => {
      call.facts.token = param(call, 'id');
      await readBody(call, NoBody, mostBodyBytes);
      return json(desk.revoke(param(call, 'id')));
    },
  };
}
