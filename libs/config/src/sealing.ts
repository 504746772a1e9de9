import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const prefix = 'enc:';
const ivBytes = 12;
const tagBytes = 16;

/** A key-encryption key: 32 bytes, written as 64 hex digits or base64. */
export class SealingKey {
  private constructor(private readonly key: Buffer) {}

  /** @throws Error when the text is not 32 bytes in hex or base64. */
  static parse(text: string): SealingKey {
    const trimmed = text.trim();
    const key = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64');
    if (key.length !== 32) throw new Error('a key-encryption key is 32 bytes, as 64 hex digits or as base64');
    return new SealingKey(key);
  }

  static generate(): string {
    return randomBytes(32).toString('hex');
  }

  /** `enc:<base64url of iv, tag and ciphertext>`, AES-256-GCM. */
  seal(plain: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv);
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return prefix + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** @throws Error when the text was sealed under another key or altered. */
  open(sealed: string): string {
    const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url');
    if (!sealed.startsWith(prefix) || bytes.length < ivBytes + tagBytes) throw new Error('not a sealed secret');
    const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, ivBytes));
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8');
    } catch (error) {
      throw new Error('the secret was sealed under another key, or altered', { cause: error });
    }
  }
}
