import http, { validateHeaderName, validateHeaderValue } from 'node:http';
import https from 'node:https';
import { directAgent } from '../http/direct-agent';
import type { Transport } from '../http/transport';
import { sharedPool } from './connection-pool';
import { type RequestOptions, sendOverNode } from './node-client';
import { UndiciRequest } from './undici-request';

/**
 * undici in the place of Node's own client, below axios' http adapter: so whatever axios does with a request (time-outs,
 * limits, progress, decompression, aborts) stays as it is. What undici cannot do as `node:http` does goes over that.
 *
 * All transports share one pool of connections, as Node's global agents do.
 *
 * @example
 * ```ts
 * const auth = createQelosAuth({ transport: undici() });
 * ```
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if undici is not installed, or in a version that cannot be used
 */
export function undici(): Transport {
  const pool = sharedPool();
  return {
    request(options, onResponse) {
      const wanted = options as RequestOptions;
      return isForUndici(wanted) ? new UndiciRequest(pool, wanted, onResponse) : sendOverNode(wanted, onResponse);
    },
  };
}

/** Headers that undici refuses, or that say how a message ends: it writes these itself. */
const LEFT_TO_NODE = new Set(['connection', 'expect', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/** Methods of which undici expects no body. */
const WITHOUT_BODY = new Set(['CONNECT', 'GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Anything else is Node's to refuse. */
const METHOD = /^[A-Z-]+$/;

/** Whether undici sends this as Node would. */
function isForUndici(options: RequestOptions): boolean {
  const { agent, auth, family, insecureHTTPParser, lookup, method, path, protocol, socketPath } = options;
  if (auth || family || insecureHTTPParser || lookup || socketPath) return false;
  const isDirect = agent === directAgent || (!agent && isUntouched(protocol === 'https:' ? https : http));
  if (!isDirect) return false;
  if (path[0] !== '/' || /[^\x21-\xff]/.test(path) || !METHOD.test(method)) return false;
  for (const name in options.headers) {
    validateHeaderName(name); // fails as in Node
    validateHeaderValue(name, options.headers[name] as string);
    const lower = name.toLowerCase();
    if (LEFT_TO_NODE.has(lower)) return false;
    if (lower === 'content-length' && WITHOUT_BODY.has(method)) return false;
  }
  return true;
}

/** Options of an agent that say nothing about where or how it connects. */
const HARMLESS = new Set(['defaultPort', 'keepAlive', 'noDelay', 'protocol', 'scheduling', 'timeout']);

/** Whether Node's global agent, which an axios request without an agent gets, is one as Node makes it. */
function isUntouched({ Agent, globalAgent }: typeof http | typeof https): boolean {
  if (Object.getPrototypeOf(globalAgent) !== Agent.prototype || Object.hasOwn(globalAgent, 'createConnection'))
    return false;
  if (globalAgent.maxSockets !== Number.POSITIVE_INFINITY) return false;
  if (globalAgent.maxTotalSockets !== Number.POSITIVE_INFINITY) return false;
  const { options } = globalAgent as { options?: Record<string, unknown> };
  for (const name in options) if (!HARMLESS.has(name) && (options[name] ?? undefined) !== undefined) return false;
  return true;
}
