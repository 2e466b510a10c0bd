import { type AuthContext, AuthError, type AuthStrategy, Credential } from 'qelos-auth';

/** What is used of an answer of Vault: https://developer.hashicorp.com/vault/api-docs */
interface VaultAnswer {
  status: number;
  retryAfter: string | null;
  /** Absent if it is no JSON, and so no answer of Vault. */
  body:
    | undefined
    | {
        auth?: { lease_duration?: number } | null;
        lease_duration?: number;
        data?: { data?: Record<string, unknown> | null; api_token?: unknown } | null;
      };
}

/**
 * Authenticates with a Qelos API token that HashiCorp Vault keeps, in the field `api_token` of a secret. The settings are
 * Vault's own (`VAULT_ADDR`, `VAULT_TOKEN`, `VAULT_NAMESPACE`) and `QELOS_VAULT_PATH`, the secret's path in Vault's API:
 * `secret/data/qelos` in a KV engine of version 2, `qelos/creds/plugin` in an engine that makes a token for each lease.
 *
 * There is no `refresh`: reading again is all it takes, after a token was refused and before a lease ends.
 */
export class VaultStrategy implements AuthStrategy {
  readonly name = 'vault';
  readonly #address = setting('VAULT_ADDR');
  readonly #token = setting('VAULT_TOKEN');
  readonly #namespace = setting('VAULT_NAMESPACE');
  readonly #path = setting('QELOS_VAULT_PATH');

  missing(): readonly string[] {
    const needed = { VAULT_ADDR: this.#address, VAULT_TOKEN: this.#token, QELOS_VAULT_PATH: this.#path };
    return Object.entries(needed).flatMap(([name, value]) => (value ? [] : [name]));
  }

  /** @throws AuthError `ERR_AUTH_REFUSED`, `ERR_AUTH_CONFIG`, `ERR_AUTH_UNAVAILABLE` or `ERR_AUTH_BAD_RESPONSE` */
  async signIn({ signal }: AuthContext): Promise<Credential> {
    // Refused to tokens that cannot be renewed or may not renew themselves; whether they are good, the secret tells.
    const renewal = await this.#ask('POST', 'auth/token/renew-self', signal);
    const answer = await this.#ask('GET', this.#path, signal);
    if (answer.status !== 200 || !answer.body) throw refusal(answer);
    const { data, lease_duration } = answer.body;
    const apiToken = (data?.data ?? data)?.['api_token']; // version 2 of the KV engine wraps it once more
    if (typeof apiToken !== 'string') throw noToken();
    // A lease ends with the token that took it. That token is renewed after two thirds of its life, as Vault's own clients
    // do it: a Vault that is down at that moment has the last third to come back, before somebody has to make a new token.
    const ends = [lease_duration ?? 0, ((renewal.body?.auth?.lease_duration ?? 0) * 2) / 3].filter(
      (seconds) => seconds > 0,
    );
    const expiresAt = ends.length > 0 ? new Date(Date.now() + Math.min(...ends) * 1000) : undefined;
    return Credential.apiKey(apiToken.trim(), { expiresAt });
  }

  async #ask(method: 'GET' | 'POST', path: string, signal: AbortSignal): Promise<VaultAnswer> {
    // Vault's agents can be told to answer nobody without the first header, which a forged request seldom has.
    const headers: Record<string, string> = { 'x-vault-request': 'true', 'x-vault-token': this.#token };
    if (this.#namespace) headers['x-vault-namespace'] = this.#namespace;
    let answer: VaultAnswer;
    try {
      const url = `${this.#address.replace(/\/+$/, '')}/v1/${path}`;
      // A redirect would take the token to another host.
      const response = await fetch(url, { method, headers, signal, redirect: 'manual' });
      const retryAfter = response.headers.get('retry-after');
      answer = { status: response.status, retryAfter, body: parsed(await response.text()) };
    } catch {
      throw new AuthError('ERR_AUTH_UNAVAILABLE', 'VAULT_ADDR did not answer.', {
        hint: 'Check the address (https://host:8200, without /v1), the network and the certificate; NODE_EXTRA_CA_CERTS names a CA of your own. It is tried again by itself.',
        retryable: true,
      });
    }
    if (answer.status === 429 || answer.status === 412 || answer.status >= 500) throw refusal(answer);
    return answer;
  }
}

function setting(name: string): string {
  return process.env[name]?.trim() ?? '';
}

function parsed(text: string): VaultAnswer['body'] {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The answers that are no secret: https://developer.hashicorp.com/vault/api-docs#http-status-codes */
function refusal({ status, retryAfter }: VaultAnswer): AuthError {
  if (status === 403) {
    return new AuthError('ERR_AUTH_REFUSED', 'Vault refused VAULT_TOKEN (HTTP status 403).', {
      hint: 'It has ended, was revoked, belongs to another VAULT_NAMESPACE, or has no policy with "read" on QELOS_VAULT_PATH; `vault token lookup` tells which.',
      status,
    });
  }
  if (status === 404) {
    return new AuthError('ERR_AUTH_CONFIG', 'Vault has no secret at QELOS_VAULT_PATH (HTTP status 404).', {
      hint: 'Check the path and VAULT_NAMESPACE, and that the latest version is not deleted. In a KV engine of version 2, "data/" follows the mount: secret/data/qelos. It is read again by itself.',
      status,
      retryable: true,
    });
  }
  if (status === 429 || status === 412 || status >= 500) {
    return new AuthError('ERR_AUTH_UNAVAILABLE', `Vault cannot answer at the moment (HTTP status ${status}).`, {
      hint: 'It is sealed (503), busy, or out of order: look at `vault status`. It is tried again by itself.',
      status,
      retryable: true,
      retryAfterMs: Number(retryAfter) * 1000 || undefined,
    });
  }
  return new AuthError('ERR_AUTH_BAD_RESPONSE', `VAULT_ADDR answered as no Vault does (HTTP status ${status}).`, {
    hint: 'Check that VAULT_ADDR is a Vault and not something in front of it. A 307 comes from a standby node: use the address of the cluster.',
    status,
    retryable: true,
  });
}

function noToken(): AuthError {
  return new AuthError(
    'ERR_AUTH_CONFIG',
    'The secret at QELOS_VAULT_PATH has no field "api_token" with a text in it.',
    {
      hint: 'Write the API token there: vault kv put secret/qelos api_token=-. It is read again by itself.',
      retryable: true,
    },
  );
}
