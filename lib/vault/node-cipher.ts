/**
 * Envelopes with `node:crypto`, on this thread: docs/decisions/14-node-crypto.md. The same bytes as web-cipher.ts, which
 * waits for WebCrypto's thread pool twice for each key.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Cipher, ImportMasterKey } from './cipher.ts';

const ALGORITHM = 'aes-256-gcm';
/** In bytes, as A256GCM has them (RFC 7518, section 5.3). */
const SIZES = { contentKey: 32, iv: 12, tag: 16 } as const;
const NO_SALT = new Uint8Array();

/** The master key becomes a `KeyObject`, and so do the content keys: Node takes them faster than bytes. */
export const importMasterKey: ImportMasterKey = async (bytes) => {
  const masterKey = createSecretKey(bytes);
  return (info) => {
    const contentKey = new Uint8Array(hkdfSync('sha256', masterKey, NO_SALT, info, SIZES.contentKey));
    return nodeCipher(createSecretKey(contentKey));
  };
};

/** `contentKey`: 32 bytes. */
export function nodeCipher(contentKey: KeyObject): Cipher {
  return {
    seal(header, plaintext) {
      const encodedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
      const iv = randomBytes(SIZES.iv);
      const cipher = createCipheriv(ALGORITHM, contentKey, iv, { authTagLength: SIZES.tag });
      cipher.setAAD(Buffer.from(encodedHeader, 'latin1'));
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      const parts = [iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'));
      return [encodedHeader, '', ...parts].join('.');
    },

    open(envelope) {
      const [encodedHeader = '', , iv = '', ciphertext = '', tag = ''] = envelope.split('.');
      const decipher = createDecipheriv(ALGORITHM, contentKey, Buffer.from(iv, 'base64url'), {
        authTagLength: SIZES.tag,
      });
      decipher.setAAD(Buffer.from(encodedHeader, 'latin1'));
      decipher.setAuthTag(Buffer.from(tag, 'base64url'));
      const plaintext = decipher.update(ciphertext, 'base64url');
      try {
        decipher.final();
      } catch (error) {
        // OpenSSL has written it before it compared the tags.
        plaintext.fill(0);
        throw error;
      }
      return plaintext;
    },
  };
}
