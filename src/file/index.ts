import { mkdirSync, statSync } from 'node:fs';
import { AuthError } from '../contract/auth-error';
import type { CredentialStore } from '../contract/credential-store';
import { type EncryptionKey, encryptedStore } from '../stores/encrypted-store';
import { FileStore } from './file-store';
import { codeOf } from './generations';

export type { EncryptionKey } from '../stores/encrypted-store';

/** What {@link fileCredentialStore} is told. */
export interface FileCredentialStoreOptions {
  /**
   * A folder that belongs to the user of this process and that nobody else may read (mode 0700), on a disk of this machine. It is
   * made if it is not there.
   */
  path: string;
  /** 32 random bytes as 64 hexadecimal digits or as base64: `openssl rand -base64 32`. Default: not encrypted. */
  encryptionKey?: EncryptionKey | undefined;
}

/**
 * Shares sessions between the processes of one machine (node's cluster, PM2), and keeps them over a restart. Files have mode 0600.
 * On Windows, which has no modes, who may read the folder is up to its access control list.
 *
 * ```ts
 * registerQelosAuth(container, { store: fileCredentialStore({ path: '/var/lib/my-plugin/sessions' }) });
 * ```
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if the folder cannot be used, or others may read it, or the key cannot be used
 */
export function fileCredentialStore({ path, encryptionKey }: FileCredentialStoreOptions): CredentialStore {
  const store = new FileStore(path);
  const checked = encryptionKey === undefined ? store : encryptedStore(store, encryptionKey);
  assertPrivate(path);
  return checked;
}

function assertPrivate(path: string): void {
  let found: ReturnType<typeof statSync>;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    found = statSync(path);
  } catch (error) {
    throw unusable(path, `cannot be used (${codeOf(error) ?? 'unknown fault'})`);
  }
  const isForeign = process.getuid !== undefined && found.uid !== process.getuid();
  if (isForeign) throw unusable(path, 'belongs to another user');
  const mode = found.mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw unusable(path, `may be read or changed by others (mode 0${mode.toString(8)})`);
  }
}

function unusable(path: string, seen: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', `The folder of fileCredentialStore, ${JSON.stringify(path)}, ${seen}.`, {
    hint: 'Name a folder of the user that runs this process, with mode 0700 (chmod 700), on a disk that it may write to.',
  });
}
