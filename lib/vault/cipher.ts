/** What an envelope needs of a runtime's cryptography. Node has one implementation, other runtimes the second. */

/** The protected header of an envelope: these members and no other. */
type EnvelopeHeader = { readonly alg: 'dir'; readonly enc: 'A256GCM'; readonly kid: string };

/** Seals and opens envelopes under one content key. Made for one envelope and then dropped. */
export type Cipher = {
  /** A compact JWE with this header. The initialization vector is random. */
  seal(header: EnvelopeHeader, plaintext: Uint8Array): string | Promise<string>;
  /**
   * The plaintext of a compact JWE. envelope.ts has checked the header and the form of the text.
   *
   * @throws Error when the envelope is not authentic. No plaintext exists then.
   */
  open(envelope: string): Uint8Array | Promise<Uint8Array>;
};

/** The cipher of a master key for this HKDF info: HKDF-SHA-256 (RFC 5869) without a salt, 32 bytes, for A256GCM. */
export type DeriveCipher = (info: Uint8Array<ArrayBuffer>) => Cipher | Promise<Cipher>;

/** Takes the 32 bytes of a master key into a key object that does not print its bytes. */
export type ImportMasterKey = (bytes: Uint8Array) => Promise<DeriveCipher>;
