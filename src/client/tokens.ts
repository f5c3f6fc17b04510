/** Scoped tokens of a daemon: made, listed, revoked. Keeps none. */
import type { CreateToken, NewToken, TokenView } from '../protocol/index.ts';
import { MadeToken, Token, pageOf } from './views.ts';
import type { Wire } from './wire.ts';

export class ClientTokens {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** The text of the token is in what this resolves with and nowhere else. */
  create(request: CreateToken): Promise<NewToken> {
    return this.#wire.ask({ method: 'POST', path: '/v1/tokens', body: request, answer: MadeToken });
  }

  async list(): Promise<readonly TokenView[]> {
    return (await this.#wire.ask({ method: 'GET', path: '/v1/tokens', answer: pageOf(Token) })).items;
  }

  /** Resolves when it opens nothing more. */
  revoke(id: string): Promise<TokenView> {
    return this.#wire.ask({
      method: 'DELETE',
      path: `/v1/tokens/${encodeURIComponent(id)}`,
      answer: Token,
    });
  }
}
