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
    const init = { headers: { 'x-vault-key': this.#key } };
    const response = await fetch(this.#url, process.env['IGNORE_SIGNAL'] ? init : { ...init, signal });
    if (response.status === 403)
      throw new AuthError('ERR_AUTH_REFUSED', 'The vault refused VAULT_KEY.', {
        hint: 'Ask for a new key.',
        status: 403,
      });
    return Credential.apiKey(await response.text());
  }
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
