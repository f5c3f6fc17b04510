/**
 * Texts that lie on a disk sealed (AES-256-GCM), each to the session that it belongs to. Owns the format. Knows not where the key comes from.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const Sealed = z.object({ sealed: z.literal(1), nonce: z.base64(), text: z.base64() });

export interface Seal {
  /** What may lie on a disk for this session. */
  close(session: string, text: string): string;
  /** Throws when it is not what was closed with this key for this session. */
  open(session: string, sealed: unknown): string;
}

/** `key`: 32 bytes. */
export function sealWith(key: Uint8Array): Seal {
  return {
    close(session, text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(session));
      const closed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      const written: z.infer<typeof Sealed> = {
        sealed: 1,
        nonce: nonce.toString('base64'),
        text: closed.toString('base64'),
      };
      return JSON.stringify(written);
    },
    open(session, sealed) {
      const { nonce, text } = Sealed.parse(sealed);
      const closed = Buffer.from(text, 'base64');
      const decipher = createDecipheriv(CIPHER, key, Buffer.from(nonce, 'base64'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(session)).setAuthTag(closed.subarray(-TAG_BYTES));
      return decipher.update(closed.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

/** Whether a parsed file is one that was closed. */
export function isSealed(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'sealed' in json;
}
