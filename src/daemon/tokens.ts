/**
 * The tokens of a home: its own (an admin, in the file `token`) and the scoped ones (`tokens.json`, hashed). Makes, checks, revokes, lets expire.
 * A token is 256 random bits, so that a plain SHA-256 of it tells nothing; its text is kept nowhere. Knows no HTTP.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Asker, TokenCheck, TokenDesk } from '../api/index.ts';
import { after } from '../async/after.ts';
import {
  newId,
  PilotlightError,
  type CreateToken,
  type NewToken,
  type TokenView,
} from '../protocol/index.ts';
import { readTokens, writeTokens, type KeptToken } from './token-file.ts';

export interface Tokens extends TokenCheck, TokenDesk, Disposable {}

/** Scanners for leaked secrets find it by this. */
const PREFIX = 'plt_';
const MOST_TOKENS = 1000;
/** The wall clock is looked at this often at least: a timer does not run while the host sleeps. */
const LOOK_MS = 60_000;
/** Names under which others act. */
const TAKEN = new Set(['home', 'local', 'library', 'nobody']);

interface Entry {
  readonly kept: KeptToken;
  readonly hash: Buffer;
  readonly asker: Asker;
  readonly ending: AbortController;
}

/** `homeToken`: the text of the home's own. `file`: where the scoped ones are. */
export function openTokens(homeToken: string, file: string): Tokens {
  return new TokenBook(homeToken, file);
}

class TokenBook implements Tokens {
  readonly #file: string;
  readonly #home: { readonly hash: Buffer; readonly asker: Asker };
  #entries: readonly Entry[];
  #timer: Disposable | undefined;

  constructor(homeToken: string, file: string) {
    this.#file = file;
    this.#home = { hash: digest(homeToken), asker: { id: 'home', name: 'home', scopes: ['admin'] } };
    this.#entries = readTokens(file).map(entryOf);
    this.#dropExpired();
  }

  /** Looks at every token whatever it finds: how long that takes tells nothing. */
  verify(presented: string): Asker | undefined {
    const digested = digest(presented);
    let found = timingSafeEqual(digested, this.#home.hash) ? this.#home.asker : undefined;
    for (const entry of this.#entries)
      if (timingSafeEqual(digested, entry.hash) && !isOver(entry)) found = entry.asker;
    return found;
  }

  list(): readonly TokenView[] {
    return this.#entries.filter((entry) => !isOver(entry)).map(({ kept }) => viewOf(kept));
  }

  create(wish: CreateToken): NewToken {
    this.#dropExpired();
    if (this.#entries.length >= MOST_TOKENS)
      throw new PilotlightError('limit', `There are ${String(MOST_TOKENS)} tokens`, {
        fix: 'Revoke some: `pilotlight token ls`, `pilotlight token revoke ID`.',
      });
    const id = newId('tok');
    const name = this.#freeName(wish.name ?? id);
    const text = PREFIX + randomBytes(32).toString('base64url');
    const now = Date.now();
    const kept: KeptToken = {
      id,
      name,
      scopes: [...new Set(wish.scopes)],
      sha256: digest(text).toString('hex'),
      createdAt: new Date(now).toISOString(),
      ...(wish.expiresInMs === undefined
        ? {}
        : { expiresAt: new Date(now + wish.expiresInMs).toISOString() }),
    };
    this.#keep([...this.#entries, entryOf(kept)]);
    return { ...viewOf(kept), token: text };
  }

  revoke(id: string): TokenView {
    const entry = this.#entries.find(({ kept }) => kept.id === id);
    if (entry === undefined || isOver(entry))
      throw new PilotlightError('not_found', `There is no token ${id}`, {
        fix: '`pilotlight token ls` lists them.',
      });
    this.#keep(this.#entries.filter((one) => one !== entry));
    entry.ending.abort();
    return viewOf(entry.kept);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  /** On the disk first: what was answered holds after a crash. */
  #keep(entries: readonly Entry[]): void {
    writeTokens(
      this.#file,
      entries.map(({ kept }) => kept),
    );
    this.#entries = entries;
    this.#watch();
  }

  /** Expired ones are refused by `verify` whatever happens here; this ends what they follow and forgets them. */
  #dropExpired(): void {
    const over = this.#entries.filter(isOver);
    this.#entries = this.#entries.filter((entry) => !isOver(entry));
    for (const entry of over) entry.ending.abort();
    this.#watch();
  }

  #watch(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const ends = this.#entries.flatMap(({ kept }) =>
      kept.expiresAt === undefined ? [] : [Date.parse(kept.expiresAt)],
    );
    if (ends.length === 0) return;
    const ms = Math.min(...ends) - Date.now();
    this.#timer = after(Math.min(Math.max(ms, 1), LOOK_MS), () => {
      this.#dropExpired();
    });
  }

  #freeName(name: string): string {
    if (!TAKEN.has(name) && !this.#entries.some(({ kept }) => kept.name === name)) return name;
    throw new PilotlightError('bad_request', `A token named "${name}" cannot be made: the name is taken`, {
      fix: 'Give another name, or revoke the one that has it.',
    });
  }
}

function entryOf(kept: KeptToken): Entry {
  const ending = new AbortController();
  const { id, name, scopes } = kept;
  return {
    kept,
    hash: Buffer.from(kept.sha256, 'hex'),
    ending,
    asker: { id, name, scopes, ended: ending.signal },
  };
}

function isOver({ kept }: Entry): boolean {
  return kept.expiresAt !== undefined && Date.parse(kept.expiresAt) <= Date.now();
}

function viewOf({ sha256: _hash, ...view }: KeptToken): TokenView {
  return view;
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
