/**
 * Scoped tokens as the API shows them. Their text is seen once, in the answer that made them.
 */
import { z } from 'zod';

/**
 * What a token may do. `read`: everything that can be asked without changing anything, event streams too. `send`: messages, interrupting, taking back.
 * `approve`: answering permission requests. Both read too: nobody can send or answer blindly. `admin`: all of it, and sessions, settings, the daemon, tokens.
 */
export const TokenScope = z.enum(['read', 'send', 'approve', 'admin']);
export type TokenScope = z.infer<typeof TokenScope>;

/** Ten years: what is meant to last longer is no token with an expiry. */
const MOST_MS = 10 * 365 * 24 * 60 * 60 * 1000;

export const TokenName = z
  .string()
  .regex(/^[\w.@-][\w.@ -]{0,63}$/, '1 to 64 letters, digits, blanks or one of _.@-');

export const CreateToken = z.strictObject({
  scopes: z.array(TokenScope).min(1).max(TokenScope.options.length),
  /** Stands in events and the audit log. Default: its id. */
  name: TokenName.optional(),
  /** Default: it does not expire. */
  expiresInMs: z.number().int().positive().max(MOST_MS).optional(),
});
export type CreateToken = z.infer<typeof CreateToken>;

export const TokenView = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(TokenScope),
  createdAt: z.string(),
  expiresAt: z.string().optional(),
});
export type TokenView = z.infer<typeof TokenView>;

export const NewToken = TokenView.extend({ token: z.string() });
export type NewToken = z.infer<typeof NewToken>;
