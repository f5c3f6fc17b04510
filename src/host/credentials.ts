/**
 * New values of a session's credentials, with a PATCH or with a message: kept in `secrets/`, and a process that was started with others is replaced
 * between turns. Both agents take their keys from their environment alone, which nobody can change once they run.
 */
import type { UpdateSession } from '../protocol/index.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { Draft, SessionSpec } from '../session/ports.ts';
import type { Credential, SecretStore } from './secrets.ts';

export type GivenCredentials = NonNullable<UpdateSession['credentials']>;

/** Values as they are kept: with when they expire, where that is known. */
export function credentialsOf(given: GivenCredentials): Record<string, Credential> {
  return Object.fromEntries(
    Object.entries(given).map(([name, one]): [string, Credential] => {
      if (typeof one === 'string') return [name, { value: one }];
      const { value, expiresAt } = one;
      return [name, { value, ...(expiresAt === undefined ? {} : { expiresAt }) }];
    }),
  );
}

/** Keeps the values (put back when the commit fails) and says what the session is to be told; undefined for nothing. */
export function refreshed(
  session: { readonly spec: SessionSpec; readonly draft: Draft },
  given: GivenCredentials,
  store: SecretStore,
): Extract<SessionInput, { kind: 'update' }> | undefined {
  const { spec, draft } = session;
  const fresh = credentialsOf(given);
  const names = Object.keys(fresh);
  if (names.length === 0) return undefined;
  const had = store.get(spec.id);
  const replace = names.some((name) => had.credentials[name]?.value !== fresh[name]?.value);
  store.put(spec.id, { ...had, credentials: { ...had.credentials, ...fresh } });
  draft.onRollback(() => {
    store.put(spec.id, had);
  });
  const credentials = [...new Set([...spec.credentials, ...names])];
  return {
    kind: 'update',
    spec: { ...spec, credentials },
    changed: { credentials: names },
    ...(replace ? { process: 'replace' } : {}),
  };
}
