/**
 * Identifiers: a prefix that says what it names, and a UUIDv7 (so they sort by birth) in hex.
 * Browser-safe. Knows nothing of what it names.
 */

export type IdPrefix = 'ses' | 'trn' | 'prm' | 'rt' | 'home' | 'cmd' | 'tok';

/** A new id, e.g. `ses_0192f0c1…` (prefix, underscore, 32 hex digits). */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${hexOfUuid()}`;
}

/** A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits. */
export function uuidv7(): string {
  return dashed(hexOfUuid());
}

/** The UUID inside an id of {@link newId}: for agents that name things by UUID. */
export function uuidOf(id: string): string {
  return dashed(id.slice(id.indexOf('_') + 1));
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const RANDOM_BYTES = 10;
/** Random bytes are fetched for so many ids at a time: one by one, that takes longer than all else here. */
const random = new Uint8Array(64 * RANDOM_BYTES);
let used = random.length;

function hexOfUuid(): string {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  let tail = HEX[0x70 | (random[used]! & 0x0f)]! + HEX[random[used + 1]!]!;
  tail += HEX[0x80 | (random[used + 2]! & 0x3f)]!;
  for (let at = used + 3; at < used + RANDOM_BYTES; at += 1) tail += HEX[random[at]!]!;
  used += RANDOM_BYTES;
  return Date.now().toString(16).padStart(12, '0') + tail;
}
