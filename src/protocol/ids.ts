/**
 * Identifiers: a prefix that says what it names, and a UUIDv7 (so they sort by birth) in hex.
 * Browser-safe. Knows nothing of what it names.
 */

export type IdPrefix = 'ses' | 'trn' | 'prm' | 'rt' | 'home' | 'cmd' | 'tok';

/** A new id, e.g. `ses_0192f0c1…` (prefix, underscore, 32 hex digits). */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${uuidv7().replaceAll('-', '')}`;
}

/** A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits. */
export function uuidv7(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(now / 2 ** 32));
  view.setUint32(2, now >>> 0);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return dashed(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''));
}

/** The UUID inside an id of {@link newId}: for agents that name things by UUID. */
export function uuidOf(id: string): string {
  return dashed(id.slice(id.indexOf('_') + 1));
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
