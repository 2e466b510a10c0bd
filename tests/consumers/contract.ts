// A strategy of a team, and what the contract suite is told about it. Each test runner has a file that runs it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AuthContext, AuthError, type AuthStrategy, Credential } from 'qelos-auth';
import type { QelosServer, StrategyUnderTest } from 'qelos-auth/testing';

/** Reads an API token from a vault. */
class VaultStrategy implements AuthStrategy {
  readonly name = 'vault';
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  missing(): readonly string[] {
    return [...(this.#url ? [] : ['VAULT_URL']), ...(this.#key ? [] : ['VAULT_KEY'])];
  }

  async signIn({ signal }: AuthContext): Promise<Credential> {
    const init: RequestInit = { headers: { 'x-vault-key': this.#key }, redirect: 'error' };
    const response = await fetch(this.#url, process.env['IGNORE_SIGNAL'] ? init : { ...init, signal });
    if (response.status === 403)
      throw new AuthError('ERR_AUTH_REFUSED', 'The vault refused VAULT_KEY.', {
        hint: 'Ask for a new key.',
        httpStatus: 403,
      });
    if (!response.ok)
      throw new AuthError('ERR_AUTH_UNAVAILABLE', `The vault answered with HTTP status ${response.status}.`, {
        hint: 'Look at the state of the vault. Retried automatically.',
        httpStatus: response.status,
        retryable: true,
      });
    return Credential.apiKey(await textOf(response));
  }
}

/** No token is longer: whatever answers with more is no vault. */
const MOST_BYTES = 4096;

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES)
      throw new AuthError('ERR_AUTH_BAD_RESPONSE', 'The vault answered with more than a token can be.', {
        hint: 'Check VAULT_URL.',
        retryable: true,
      });
  }
  return Buffer.concat(chunks).toString();
}

export async function create(server: QelosServer): Promise<StrategyUnderTest> {
  const key = 'the key of the vault';
  let answer: 'token' | 'refusal' | 'none' = 'token';
  let token = '';
  const vault = createServer(({ headers }, response) => {
    if (answer === 'none') return;
    const isRefused = answer === 'refusal' || headers['x-vault-key'] !== key;
    if (!isRefused) token = server.issueApiToken();
    response.writeHead(isRefused ? 403 : 200).end(isRefused ? '' : token);
  });
  await once(vault.listen(0, '127.0.0.1'), 'listening');
  return {
    strategy: new VaultStrategy(`http://127.0.0.1:${(vault.address() as AddressInfo).port}`, key),
    unconfigured: new VaultStrategy('', ''),
    secrets: [key],
    refuse() {
      answer = 'refusal';
    },
    hang() {
      answer = 'none';
    },
    expire: () => server.revokeApiToken(token),
    close() {
      vault.close();
      vault.closeAllConnections();
    },
  };
}
