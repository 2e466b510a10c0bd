import type { Readable, Writable } from 'node:stream';
import { AuthError } from '../contract/auth-error';
import { loadUndiciTransport } from '../undici/undici-transport';

/** What axios' http adapter can send with, in place of `node:http` and `node:https`: its setting `transport`. */
export interface Transport {
  request(options: object, onResponse: (response: Readable) => void): Writable;
}

/**
 * What the option `transport` names; undefined: Node's own client.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if there is no such transport, or it cannot be used
 */
export function transportFor(name: string | undefined): Transport | undefined {
  if (name === undefined) return undefined;
  if (name === 'undici') return loadUndiciTransport();
  throw new AuthError('ERR_AUTH_CONFIG', "The option transport is something else than 'undici'.", {
    hint: "Set it to 'undici', or remove it for Node's own client.",
  });
}
