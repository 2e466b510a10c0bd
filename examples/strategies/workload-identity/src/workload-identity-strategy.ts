import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import axios, { type AxiosResponse } from 'axios';
import { AUTH_CONFIG, type AuthConfig, type AuthContext, AuthError, type AuthStrategy, Credential } from 'qelos-auth';
import { inject, injectable } from 'tsyringe';

/** More than any token, in a file or an answer: what has no end must not fill the memory. */
const MAX_BYTES = 1024 * 1024;

/** An answer of the endpoint, good or not (RFC 8693, 2.2). */
interface TokenAnswer {
  access_token?: string;
  token_type?: string;
  expires_in?: number;
  error?: string;
}

/**
 * Authenticates with the identity that the platform gives a workload, so that no secret has to be handed to it: the token in
 * `QELOS_IDENTITY_TOKEN_FILE` (a projected service-account token, say) is exchanged for a Qelos session by the broker at
 * `QELOS_TOKEN_EXCHANGE_URL` (RFC 8693, OAuth 2.0 Token Exchange).
 *
 * There is no `refresh`, though Qelos has one: the identity is at hand at any time, the broker gets to say no when the workload
 * has lost its rights, and a Qelos session that is refreshed loses its workspace. The file is read each time, as the platform
 * replaces the token long before it ends.
 */
@injectable()
export class WorkloadIdentityStrategy implements AuthStrategy {
  readonly name = 'workload-identity';
  readonly #endpoint = process.env['QELOS_TOKEN_EXCHANGE_URL']?.trim() ?? '';
  readonly #tokenFile = process.env['QELOS_IDENTITY_TOKEN_FILE']?.trim() ?? '';
  readonly #resource: string;

  /** @param config - its `url` is what the session is asked for */
  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#resource = config.url;
  }

  missing(): readonly string[] {
    const needed = { QELOS_TOKEN_EXCHANGE_URL: this.#endpoint, QELOS_IDENTITY_TOKEN_FILE: this.#tokenFile };
    return Object.entries(needed).flatMap(([name, value]) => (value ? [] : [name]));
  }

  /** @throws AuthError `ERR_AUTH_REFUSED`, `ERR_AUTH_CONFIG`, `ERR_AUTH_UNAVAILABLE` or `ERR_AUTH_BAD_RESPONSE` */
  async signIn({ signal }: AuthContext): Promise<Credential> {
    const answer = await this.#exchange(await this.#identityToken(signal), signal);
    if (answer.status !== 200) throw refusal(answer);
    const { access_token, token_type, expires_in } = answer.data ?? {};
    if (typeof access_token !== 'string' || String(token_type).toLowerCase() !== 'bearer') {
      throw new AuthError('ERR_AUTH_BAD_RESPONSE', 'QELOS_TOKEN_EXCHANGE_URL answered without a bearer token.', {
        hint: 'Check that the URL is that of the endpoint itself, and that it answers as RFC 8693 has it: JSON with "access_token", and "token_type" Bearer.',
        retryable: true,
      });
    }
    // Where the broker does not say it, a Qelos token says itself when it ends.
    const expiresAt = expires_in ? new Date(Date.now() + expires_in * 1000) : undefined;
    return Credential.bearer(access_token, { expiresAt });
  }

  async #identityToken(signal: AbortSignal): Promise<string> {
    try {
      return (await readSmallFile(this.#tokenFile, signal)).trim();
    } catch (error) {
      const { code = 'not a regular file of at most 1 MiB' } = error as NodeJS.ErrnoException;
      throw new AuthError('ERR_AUTH_CONFIG', `QELOS_IDENTITY_TOKEN_FILE names a file that cannot be read (${code}).`, {
        hint: 'Check that the token is mounted there (in Kubernetes, a projected volume) and that the plugin may read it. It is tried again by itself.',
        retryable: true,
      });
    }
  }

  async #exchange(identityToken: string, signal: AbortSignal): Promise<AxiosResponse<TokenAnswer | null>> {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: identityToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: this.#resource,
    });
    try {
      // A redirect (307) would take the identity to another host.
      const limits = { maxRedirects: 0, maxContentLength: MAX_BYTES };
      return await axios.post(this.#endpoint, form, { signal, validateStatus: null, ...limits });
    } catch {
      // Never pass on what axios throws: it holds the request, with the identity.
      throw new AuthError('ERR_AUTH_UNAVAILABLE', 'QELOS_TOKEN_EXCHANGE_URL did not answer, or with more than 1 MiB.', {
        hint: 'Check the URL, the network and the certificate; NODE_EXTRA_CA_CERTS names a CA of your own. It is tried again by itself.',
        retryable: true,
      });
    }
  }
}

/** Reads a regular file. Anything else could keep its reader waiting, as a pipe does, or never end, as a device. */
async function readSmallFile(path: string, signal: AbortSignal): Promise<string> {
  // Without waiting for somebody to write to a pipe. Windows has no such flag, and no pipes among files.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error('not a file to read');
    return await file.readFile({ encoding: 'utf8', signal });
  } finally {
    await file.close();
  }
}

/** RFC 8693, 2.2.2, and RFC 6749, 5.2. The answer's own words are not told: they may quote the identity. */
function refusal({ status, headers, data }: AxiosResponse<TokenAnswer | null>): AuthError {
  const seen = `(HTTP status ${status})`;
  if (data?.error === 'invalid_target') {
    return new AuthError('ERR_AUTH_CONFIG', `The broker gives out no sessions for QELOS_URL ${seen}.`, {
      hint: 'Have the URL added to what the broker serves, letter by letter, or correct QELOS_URL.',
      httpStatus: status,
    });
  }
  if (status === 400 || status === 401 || status === 403) {
    return new AuthError('ERR_AUTH_REFUSED', `The broker refused the token in QELOS_IDENTITY_TOKEN_FILE ${seen}.`, {
      hint: 'Check that the token is made for the broker (its audience), is not past its end, and that the broker trusts who issued it. The file is read again by itself.',
      httpStatus: status,
    });
  }
  const isBusy = status === 429 || status >= 500;
  return new AuthError(
    isBusy ? 'ERR_AUTH_UNAVAILABLE' : 'ERR_AUTH_BAD_RESPONSE',
    `QELOS_TOKEN_EXCHANGE_URL answered with HTTP status ${status}.`,
    {
      hint: 'Look at the state of the broker, and at what stands in front of it; a redirect is not followed. It is tried again by itself.',
      httpStatus: status,
      retryable: true,
      retryAfterMs: Number(headers['retry-after']) * 1000 || undefined,
    },
  );
}
