import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AuthError } from '../contract/auth-error';
import type {
  CredentialStore,
  LockOptions,
  SaveOptions,
  StoredCredential,
  StoreOptions,
  UnlockOptions,
} from '../contract/credential-store';
import { StoredRecordError } from '../credentials/stored-record-error';

/**
 * One key or several: 32 random bytes each, as 64 hexadecimal digits or as base64. The first one encrypts, all of them
 * decrypt; so a key is replaced without a moment at which two processes cannot read each other.
 */
export type EncryptionKey = string | readonly string[];

/** AES-256-GCM (NIST SP 800-38D) with an IV of 96 bits and a tag of 128. */
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The first part of every text, so that a later form can be told from this one. */
const FORM = 'qa1';

interface Key {
  /** Tells which key a text was encrypted with; says nothing of the key. */
  readonly id: string;
  readonly bytes: Buffer;
}

/**
 * A store whose texts are encrypted before it gets them: AES-256-GCM, with the key (which names origin, strategy and account)
 * and the generation as associated data. So a text that was changed, cut, moved to another account or put back under another
 * generation cannot be read: it counts as absent, and `storeFailed` says so.
 *
 * @param encryptionKey - such as `QELOS_AUTH_STORE_KEY`; the same in all processes
 * @throws AuthError `ERR_AUTH_CONFIG` if a key is none
 */
export function encryptedStore(store: CredentialStore, encryptionKey: EncryptionKey): CredentialStore {
  const keys = readKeys(encryptionKey);
  return store.lock && store.unlock ? new LockingEncryptedStore(store, keys) : new EncryptedStore(store, keys);
}

class EncryptedStore implements CredentialStore {
  protected readonly store: CredentialStore;
  readonly #keys: readonly [Key, ...Key[]];

  constructor(store: CredentialStore, keys: readonly [Key, ...Key[]]) {
    this.store = store;
    this.#keys = keys;
  }

  async load(key: string, options: StoreOptions): Promise<StoredCredential | undefined> {
    const stored = await this.store.load(key, options);
    return stored && { ...stored, text: this.#decrypt(stored, key) };
  }

  save(key: string, text: string, options: SaveOptions): Promise<boolean> {
    const [{ id, bytes }] = this.#keys;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, bytes, iv).setAAD(associatedData(key, options.generation));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return this.store.save(key, `${FORM}.${id}.${sealed.toString('base64url')}`, options);
  }

  #decrypt({ text, generation }: StoredCredential, key: string): string {
    const [form, id, content = '', ...more] = `${text}`.split('.');
    if (form !== FORM || more.length > 0) throw new StoredRecordError('RecordUnreadable', generation);
    const known = this.#keys.find((candidate) => candidate.id === id);
    if (!known) throw new StoredRecordError('RecordOfAnotherKey', generation);
    const sealed = Buffer.from(content, 'base64url');
    try {
      const decipher = createDecipheriv(CIPHER, known.bytes, sealed.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associatedData(key, generation)).setAuthTag(sealed.subarray(-TAG_BYTES));
      const clear = [decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
      return Buffer.concat(clear).toString('utf8');
    } catch {
      throw new StoredRecordError('RecordUnreadable', generation);
    }
  }
}

class LockingEncryptedStore extends EncryptedStore {
  async lock(key: string, options: LockOptions): Promise<boolean> {
    return (await this.store.lock?.(key, options)) ?? false;
  }

  async unlock(key: string, options: UnlockOptions): Promise<void> {
    await this.store.unlock?.(key, options);
  }
}

function associatedData(key: string, generation: number): Buffer {
  return Buffer.from(JSON.stringify([FORM, key, generation]));
}

function readKeys(given: EncryptionKey): readonly [Key, ...Key[]] {
  const [first, ...others] = (Array.isArray(given) ? given : [given]).map(readKey);
  if (!first) throw unusableKey('is missing');
  return [first, ...others];
}

function readKey(given: unknown): Key {
  if (typeof given !== 'string' || given.trim() === '') throw unusableKey('is missing');
  const text = given.trim();
  const isBase64 = /^[A-Za-z\d+/_-]+={0,2}$/.test(text);
  const bytes = /^[\da-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(isBase64 ? text : '', 'base64');
  if (bytes.length !== KEY_BYTES) throw unusableKey(`has ${text.length} characters that are not 32 bytes`);
  const id = createHash('sha256').update('qelos-auth key id').update(bytes).digest('hex').slice(0, 8);
  return { id, bytes };
}

function unusableKey(seen: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', `The key of the credential store (QELOS_AUTH_STORE_KEY) ${seen}.`, {
    hint: 'It has to be 32 random bytes, as 64 hexadecimal digits or as base64, and the same in all processes. `openssl rand -base64 32` makes one.',
  });
}
