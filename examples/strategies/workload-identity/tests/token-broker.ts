import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { QelosServer } from 'qelos-auth/testing';
import { isIdentity } from './identity-platform';

export interface TokenBroker {
  /** Its token endpoint. */
  readonly url: string;
  /** The identities that were shown to it, in order. */
  readonly shown: readonly string[];
  /** Answers everything like this from now on; `hang` not at all. */
  answer(always: { status: number; body?: unknown; headers?: Record<string, string> } | 'hang'): void;
  close(): Promise<void>;
}

/**
 * Stands in for a broker that gives out Qelos sessions for the identity of a workload: a token endpoint as RFC 8693 has it
 * (2.1: request; 2.2.1: answer; 2.2.2: errors), which signs in to Qelos as the plain user.
 */
export async function startBroker(qelos: QelosServer, publicKey: KeyObject): Promise<TokenBroker> {
  const shown: string[] = [];
  let always: Parameters<TokenBroker['answer']>[0] | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const identity = form.get('subject_token') ?? '';
    shown.push(identity);
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      response
        .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
        .end(text);
    };
    if (always === 'hang') return;
    if (always) return send(always.status, always.body ?? '', always.headers);
    const isExchange =
      request.method === 'POST' &&
      request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') &&
      form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:token-exchange' &&
      form.get('subject_token_type') === 'urn:ietf:params:oauth:token-type:jwt';
    if (!isExchange) return send(400, { error: 'unsupported_grant_type' });
    if (form.get('resource') !== qelos.url) return send(400, { error: 'invalid_target' });
    if (!isIdentity(identity, publicKey)) return send(400, { error: 'invalid_request', error_description: identity });
    const { username, password } = qelos.users[1] ?? { username: '', password: '' };
    const answer = await fetch(`${qelos.url}/api/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password, authType: 'oauth' }),
    });
    const { payload } = (await answer.json()) as { payload: { token: string } };
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
    send(200, { access_token: payload.token, issued_token_type, token_type: 'Bearer', expires_in: 300 });
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    shown,
    answer: (answer) => {
      always = answer;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
