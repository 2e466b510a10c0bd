import type { Readable, Writable } from 'node:stream';
import { AuthError } from '../contract/auth-error';

/**
 * What axios' http adapter sends with, in place of `node:http` and `node:https`: its setting `transport`.
 * `undici()` of `qelos-auth/undici` makes one.
 */
export interface Transport {
  /** Sends as `http.request` of Node does, which gets the same options. */
  request(options: object, onResponse: (response: Readable) => void): Writable;
}

/**
 * The option `transport`, checked; undefined: Node's own client.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if it is no transport
 */
export function checkedTransport(transport: Transport | undefined): Transport | undefined {
  const given: unknown = transport;
  if (given === undefined || (given instanceof Object && typeof Reflect.get(given, 'request') === 'function'))
    return transport;
  throw new AuthError('ERR_AUTH_CONFIG', `The option transport is no transport, but of type ${typeof given}.`, {
    hint: "Set it to undici(), imported from 'qelos-auth/undici', or leave it out for Node's own client.",
  });
}
