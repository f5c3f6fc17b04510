/** Where values that were given as secrets are kept, as the configuration says. Owns nothing. */

import { createSecretStore, hasSealed, sealWith, type SecretStore } from '../host/index.ts';
import type { CommandSurroundings } from './command.ts';
import type { Config } from './config.ts';
import { homeKey } from './keyring.ts';

export interface SecretStoreSources {
  readonly secrets: Config['secrets'];
  /** Absent for a home in memory. */
  readonly directory?: string;
  /** Who the key belongs to. */
  readonly homeId: string;
  readonly at: CommandSurroundings;
}

/** Throws `keyring_unavailable`. */
export async function openSecrets({
  secrets,
  directory,
  homeId,
  at,
}: SecretStoreSources): Promise<SecretStore> {
  const { persist, store, keyringTimeoutMs: timeoutMs } = secrets;
  if (directory === undefined) return createSecretStore({ persist });
  if (!persist || store === 'file') return createSecretStore({ directory, persist });
  const key = await homeKey(homeId, hasSealed(directory), { at, timeoutMs });
  return createSecretStore({ directory, persist, seal: sealWith(key) });
}
