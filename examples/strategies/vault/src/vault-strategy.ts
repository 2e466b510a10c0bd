import axios, { type AxiosResponse } from 'axios';
import { type AuthContext, AuthError, type AuthStrategy, Credential } from 'qelos-auth';

/** More than any secret: an answer without end must not fill the memory. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** What is used of an answer of Vault: https://developer.hashicorp.com/vault/api-docs */
interface VaultAnswer {
  auth?: { lease_duration: number } | null;
  lease_duration?: number;
  data?: { data?: { api_token?: unknown } | null; api_token?: unknown } | null;
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
  readonly #address = process.env['VAULT_ADDR']?.trim() ?? '';
  readonly #token = process.env['VAULT_TOKEN']?.trim() ?? '';
  readonly #namespace = process.env['VAULT_NAMESPACE']?.trim() ?? '';
  readonly #path = process.env['QELOS_VAULT_PATH']?.trim() ?? '';

  missing(): readonly string[] {
    const needed = { VAULT_ADDR: this.#address, VAULT_TOKEN: this.#token, QELOS_VAULT_PATH: this.#path };
    return Object.entries(needed).flatMap(([name, value]) => (value ? [] : [name]));
  }

  /** @throws AuthError `ERR_AUTH_REFUSED`, `ERR_AUTH_CONFIG`, `ERR_AUTH_UNAVAILABLE` or `ERR_AUTH_BAD_RESPONSE` */
  async signIn({ signal }: AuthContext): Promise<Credential> {
    // Refused to a token that cannot be renewed (400) or may not renew itself (403); whether it is good, the secret tells.
    const renewal = await this.#ask('POST', 'auth/token/renew-self', signal);
    if (![200, 400, 403].includes(renewal.status)) throw refusal(renewal);
    const answer = await this.#ask('GET', this.#path, signal);
    if (answer.status !== 200 || !answer.data?.data) throw refusal(answer);
    const { data, lease_duration = 0 } = answer.data;
    const apiToken = (data.data ?? data).api_token; // version 2 of the KV engine wraps it once more
    if (typeof apiToken !== 'string' || apiToken.trim() === '') {
      throw new AuthError('ERR_AUTH_CONFIG', 'The secret at QELOS_VAULT_PATH has no text in a field "api_token".', {
        hint: 'Write the API token there: vault kv put secret/qelos api_token=-. It is read again by itself.',
        retryable: true,
      });
    }
    // A lease ends with the token that took it. That token is renewed after two thirds of its life, as Vault's own clients
    // do it: a Vault that is down at that moment has the last third to come back, before somebody has to make a new token.
    const ends = [lease_duration, ((renewal.data?.auth?.lease_duration ?? 0) * 2) / 3].filter((seconds) => seconds > 0);
    const expiresAt = ends.length > 0 ? new Date(Date.now() + Math.min(...ends) * 1000) : undefined;
    return Credential.apiKey(apiToken.trim(), { expiresAt });
  }

  async #ask(method: 'GET' | 'POST', path: string, signal: AbortSignal): Promise<AxiosResponse<VaultAnswer | null>> {
    // Vault's agents can be told to answer nobody without the first header, which a forged request seldom has.
    const headers: Record<string, string> = { 'x-vault-request': 'true', 'x-vault-token': this.#token };
    if (this.#namespace) headers['x-vault-namespace'] = this.#namespace;
    const url = `${this.#address.replace(/\/+$/, '')}/v1/${path}`;
    try {
      // A redirect would take the token to another host.
      const limits = { maxRedirects: 0, maxContentLength: MAX_ANSWER_BYTES };
      return await axios.request({ method, url, headers, signal, validateStatus: null, ...limits });
    } catch {
      // Never pass on what axios throws: it holds the request, with the token.
      throw new AuthError('ERR_AUTH_UNAVAILABLE', 'VAULT_ADDR did not answer, or with more than 1 MiB.', {
        hint: 'Check the address (https://host:8200, without /v1), the network and the certificate; NODE_EXTRA_CA_CERTS names a CA of your own. It is tried again by itself.',
        retryable: true,
      });
    }
  }
}

/** https://developer.hashicorp.com/vault/api-docs#http-status-codes */
function refusal({ status, headers }: AxiosResponse): AuthError {
  if (status === 403) {
    return new AuthError('ERR_AUTH_REFUSED', 'Vault refused VAULT_TOKEN (HTTP status 403).', {
      hint: 'It has ended, was revoked, belongs to another VAULT_NAMESPACE, or has no policy with "read" on QELOS_VAULT_PATH; `vault token lookup` tells which.',
      httpStatus: status,
    });
  }
  if (status === 404) {
    return new AuthError('ERR_AUTH_CONFIG', 'Vault has no secret at QELOS_VAULT_PATH (HTTP status 404).', {
      hint: 'Check the path and VAULT_NAMESPACE, and that the latest version is not deleted. In a KV engine of version 2, "data/" follows the mount: secret/data/qelos. It is read again by itself.',
      httpStatus: status,
      retryable: true,
    });
  }
  const isBusy = status === 412 || status === 429 || status >= 500;
  return new AuthError(
    isBusy ? 'ERR_AUTH_UNAVAILABLE' : 'ERR_AUTH_BAD_RESPONSE',
    `VAULT_ADDR answered with HTTP status ${status}, and no secret.`,
    {
      hint: 'A sealed Vault answers 503, a standby node 307: then use the address of the cluster. Otherwise check what answers there. It is tried again by itself.',
      httpStatus: status,
      retryable: true,
      retryAfterMs: Number(headers['retry-after']) * 1000 || undefined,
    },
  );
}
