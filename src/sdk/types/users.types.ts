import type { IUser } from './authentication.types';
import type { QelosApi } from './base.types';

/** A user as an administrator sees them. `T` is the shape of what the instance keeps about them internally. */
export interface IManagedUser<T = any> extends IUser {
  internalMetadata?: T;
}

/** What an administrator writes about a user. */
export interface IManagedUserRequest<T = any> extends IManagedUser<T> {
  password?: string;
}

/** `sdk.users`: user administration. `T` types the internal metadata, `E` the encrypted data. */
export interface QlUsers<T = any, E = any> extends QelosApi {
  getUser<Z = T>(userId: string): Promise<IManagedUser<Z>>;
  getList(filters?: { username?: string; exact?: boolean; roles?: string[] }): Promise<IUser[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(userId: string): Promise<Response>;
  update<Z = T>(userId: string, changes: Partial<IManagedUserRequest<Z>>): Promise<IManagedUser>;
  create<Z = T>(user: Partial<IManagedUserRequest<Z>>): Promise<IManagedUser<Z>>;
  getEncryptedData<Z = E>(userId: string, encryptedId?: string): Promise<Z>;
  setEncryptedData<Z = E>(userId: string, encryptedId: string, data: Z): Promise<void>;
}

/** `sdk.roles`: the roles in use on the instance. */
export interface QlRoles extends QelosApi {
  getExistingRoles(): Promise<string[]>;
}
