/** Envelopes with jose and WebCrypto, for every runtime. The reference for node-cipher.ts. */
import { CompactEncrypt, compactDecrypt } from 'jose';
import type { Cipher, ImportMasterKey } from './cipher.ts';

const NO_SALT = new Uint8Array();

/** The master key becomes a `CryptoKey` that cannot be exported, and so do the content keys. */
export const importMasterKey: ImportMasterKey = async (bytes) => {
  const masterKey = await crypto.subtle.importKey('raw', new Uint8Array(bytes), 'HKDF', false, ['deriveKey']);
  return async (info) => {
    const contentKey = await crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: NO_SALT, info },
      masterKey,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    );
    return webCipher(contentKey);
  };
};

export function webCipher(contentKey: CryptoKey): Cipher {
  return {
    seal: (header, plaintext) =>
      new CompactEncrypt(plaintext).setProtectedHeader({ ...header }).encrypt(contentKey),
    async open(envelope) {
      const { plaintext } = await compactDecrypt(envelope, contentKey, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return plaintext;
    },
  };
}
