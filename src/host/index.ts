/** The host's public face: what ways in may import. */
export type { Answered, Caller, Host, Idempotency } from './face.ts';
export { SessionHost } from './host.ts';
export type { HostedRuntime, HostPorts, RuntimeFactory, SharedRuntime, StartWish, WishKey } from './ports.ts';
export {
  createSecretStore,
  hasSealed,
  sessionsIn,
  type SecretStore,
  type SecretStoreOptions,
  type SessionSecrets,
} from './secrets.ts';
export { sealWith, type Seal } from './seal.ts';
