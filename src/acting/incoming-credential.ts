import { AuthError } from '../contract/auth-error';
import { Credential } from '../contract/credential';

/** Headers by name in whatever letter case, or as the Fetch standard has them. */
export type IncomingHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | { get(name: string): string | null };

/** Where somebody's own credential comes from: what a server got of a client, or the credential itself. */
export type IncomingSource =
  /** An `IncomingMessage`, a request of Fastify or Express, a `Request` of the Fetch standard. */
  | { readonly headers: IncomingHeaders }
  /** `Headers`. */
  | { get(name: string): string | null }
  | {
      readonly authorization?: string | undefined;
      readonly cookie?: string | undefined;
      readonly apiKey?: string | undefined;
    };

/** An API token of Qelos. What a gateway takes for a key of its own under the same name is none. */
const API_TOKEN = /^ql_[\w-]{1,4000}$/;
/** A JSON Web Token in its compact form (RFC 7515, 7.1), which access tokens and session cookies of Qelos are. */
const JSON_WEB_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const BEARER = /^Bearer +(\S+)$/i;
/** A session cookie of Qelos (`qlt_` and a part of the tenant), and the name that older releases give it. */
const SESSION_COOKIE = /^(?:qlt_[\w-]+|token)$/;

/**
 * The credential that came in with a request, as far as it is of Qelos' form: its cookies, a bearer, `x-api-key`. All that is
 * there is taken, so that the server decides by its own order. Nothing else of the request is looked at or kept.
 *
 * @returns undefined if there is none
 * @throws AuthError `ERR_AUTH_CONFIG` if the source is nothing that could hold one
 */
export function incomingCredential(source: IncomingSource): Credential | undefined {
  const read = readerOf(source);
  const headers: Record<string, string> = {};
  const apiKey = read('x-api-key')?.trim();
  if (apiKey !== undefined && API_TOKEN.test(apiKey)) headers['x-api-key'] = apiKey;
  const cookie = sessionCookies(read('cookie') ?? '');
  if (cookie !== '') headers['cookie'] = cookie;
  const [, token = ''] = BEARER.exec(read('authorization')?.trim() ?? '') ?? [];
  if (JSON_WEB_TOKEN.test(token)) headers['authorization'] = `Bearer ${token}`;
  return Object.keys(headers).length === 0 ? undefined : Credential.headers(headers);
}

function sessionCookies(header: string): string {
  if (!header.includes('qlt_') && !header.includes('token')) return '';
  const pairs = header.split(';').map((pair) => pair.trim());
  return pairs
    .filter((pair) => {
      const end = pair.indexOf('=');
      return SESSION_COOKIE.test(pair.slice(0, end)) && JSON_WEB_TOKEN.test(pair.slice(end + 1));
    })
    .join('; ');
}

/** Reads headers by their names. What somebody put on `Object.prototype` is no header. */
function readerOf(source: IncomingSource): (name: string) => string | undefined {
  if (typeof source !== 'object' || source === null) throw noSource(source);
  const headers = 'headers' in source ? source.headers : source;
  if (typeof headers !== 'object' || headers === null) throw noSource(headers);
  if ('get' in headers && typeof headers.get === 'function') {
    const { get } = headers;
    return (name) => get.call(headers, name) ?? undefined;
  }
  const record = headers as Readonly<Record<string, unknown>>;
  return (name) => {
    const isIt = (key: string) => key.toLowerCase() === name || (name === 'x-api-key' && key === 'apiKey');
    const key = Object.hasOwn(record, name) ? name : Object.keys(record).find(isIt);
    const value = key === undefined ? undefined : record[key];
    // Node joins what came more than once; other servers may keep a list, and of two credentials none is anybody's.
    return typeof value === 'string' ? value : undefined;
  };
}

function noSource(seen: unknown): AuthError {
  const text = `The source of the caller's credential is ${seen === null ? 'null' : `of type ${typeof seen}`}.`;
  return new AuthError('ERR_AUTH_CONFIG', text, {
    hint: 'Pass the incoming request (of node:http, Fastify, Express or the Fetch standard), its headers, or { authorization, cookie, apiKey }.',
  });
}
