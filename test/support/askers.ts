/** Token checks for tests that need no home. */
import type { Asker, TokenCheck } from '../../src/api/index.ts';

/** May do everything. */
export function admin(name = 'home'): Asker {
  return { id: name, name, scopes: ['admin'] };
}

/** Everybody is one. */
export const anybody: TokenCheck = { verify: () => admin() };

/** Who presents a name's text is that one. */
export function known(tokens: Readonly<Record<string, Asker>>): TokenCheck {
  return { verify: (presented) => (Object.hasOwn(tokens, presented) ? tokens[presented] : undefined) };
}
