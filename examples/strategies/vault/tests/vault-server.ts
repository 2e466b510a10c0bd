import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path of the API holds: versions of a KV secret, or an engine that gives out leases. */
type Secret =
  | { readonly versions: (object | undefined)[] }
  | { readonly make: () => object; readonly leaseSeconds: number };

export interface VaultServer {
  readonly url: string;
  /** The token to read with. It ends `tokenSeconds` after it was last renewed, on this server's own clock. */
  readonly token: string;
  /** Requests by method and path, such as `GET /v1/secret/data/qelos`. */
  count(request: string): number;
  /** Writes the next version of a secret of the KV engine at `secret/`; without data, deletes the latest. */
  write(path: string, data?: object): void;
  /** Has an engine give out what `make` makes, with a lease. */
  lease(path: string, leaseSeconds: number, make: () => object): void;
  advance(seconds: number): void;
  revokeToken(): void;
  /** Answers like this from now on, `hang` not at all: everything, or one request as `count` names it. */
  answer(always: { status: number; body?: string; headers?: Record<string, string> } | 'hang', only?: string): void;
  close(): Promise<void>;
}

export interface VaultServerOptions {
  readonly namespace?: string;
  readonly tokenSeconds?: number;
  readonly renewable?: boolean;
}

/**
 * Stands in for HashiCorp Vault, as no `vault` could be had to test with: real HTTP, and of Vault's API what the strategy
 * uses, with statuses and bodies after its documentation:
 *
 * - https://developer.hashicorp.com/vault/api-docs: `X-Vault-Token`, `X-Vault-Namespace`, errors, status codes
 * - https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version: a deleted version is a 404 too
 * - https://developer.hashicorp.com/vault/api-docs/auth/token#renew-a-token-self; a token without a lease, such as a root
 *   token, gets a 400 with `lease is not renewable`
 * - https://developer.hashicorp.com/vault/docs/concepts/lease: `lease_id`, `lease_duration`, `renewable`
 */
export async function startVault(options: VaultServerOptions = {}): Promise<VaultServer> {
  const { namespace = '', tokenSeconds = 3600, renewable = true } = options;
  const token = `hvs.${randomUUID()}`;
  const counts = new Map<string, number>();
  const secrets = new Map<string, Secret>();
  let now = 0;
  let tokenEnd = tokenSeconds;
  let always: Parameters<VaultServer['answer']>[0] | undefined;
  let only: string | undefined;

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request;
    const name = `${method} ${url}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const instead = only === undefined || only === name ? always : undefined;
    if (instead === 'hang') return;
    if (instead) return response.writeHead(instead.status, instead.headers).end(instead.body ?? '');
    const good = headers['x-vault-token'] === token && now < tokenEnd;
    if (!good || (headers['x-vault-namespace'] ?? '') !== namespace) {
      return fail(response, 403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
    }
    const path = url.replace(/^\/v1\//, '');
    if (method === 'POST' && path === 'auth/token/renew-self') {
      if (!renewable) return fail(response, 400, 'lease is not renewable');
      tokenEnd = now + tokenSeconds;
      const auth = { client_token: token, accessor: 'a1', policies: ['default', 'qelos'], metadata: null };
      return send(response, 200, { auth: { ...auth, lease_duration: tokenSeconds, renewable: true } });
    }
    const secret = secrets.get(path);
    if (method !== 'GET' || secret === undefined) return fail(response, 404);
    if ('make' in secret) {
      const lease = { lease_id: `${path}/${randomUUID()}`, lease_duration: secret.leaseSeconds, renewable: true };
      return send(response, 200, { ...lease, data: secret.make() });
    }
    const data = secret.versions.at(-1) ?? null;
    const deletion_time = data ? '' : '2026-01-01T00:00:00Z';
    const metadata = { created_time: '2026-01-01T00:00:00Z', custom_metadata: null, deletion_time, destroyed: false };
    return send(response, data ? 200 : 404, {
      data: { data, metadata: { ...metadata, version: secret.versions.length } },
    });
  };

  const server = createServer(handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    count: (request) => counts.get(request) ?? 0,
    write(path, data) {
      const secret = secrets.get(`secret/data/${path}`);
      const versions = secret && 'versions' in secret ? secret.versions : [];
      if (data) versions.push(data);
      else versions[versions.length - 1] = undefined;
      secrets.set(`secret/data/${path}`, { versions });
    },
    lease: (path, leaseSeconds, make) => void secrets.set(path, { make, leaseSeconds }),
    advance: (seconds) => {
      now += seconds;
    },
    revokeToken: () => {
      tokenEnd = 0;
    },
    answer: (answer, to) => {
      always = answer;
      only = to;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The envelope that every good answer of Vault comes in. */
function send(response: ServerResponse, status: number, body: object): void {
  const envelope = { request_id: randomUUID(), lease_id: '', renewable: false, lease_duration: 0, data: null };
  const rest = { wrap_info: null, warnings: null, auth: null };
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ ...envelope, ...rest, ...body }));
}

function fail(response: ServerResponse, status: number, ...errors: string[]): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ errors }));
}
