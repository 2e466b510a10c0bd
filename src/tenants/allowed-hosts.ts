import { AuthError } from '../contract/auth-error';

/** The hosts that tenants' URLs may name. */
export class AllowedHosts {
  readonly #exact = new Set<string>();
  /** What follows the first label of a host and more labels: `.example.com`, with its port if it has one. */
  readonly #endings: string[] = [];

  /**
   * @param patterns - `host`, `host:port`, or either with `*.` before it
   * @throws AuthError `ERR_AUTH_CONFIG` that says which of them is no such thing
   */
  constructor(patterns: readonly string[]) {
    if (!Array.isArray(patterns)) throw malformed('allowedHosts must be an array of hosts.');
    for (const [i, pattern] of patterns.entries()) {
      const isWildcard = typeof pattern === 'string' && pattern.startsWith('*.');
      const host = hostIn(isWildcard ? pattern.slice(2) : pattern);
      if (host === undefined || (isWildcard && isAddress(host))) {
        throw malformed(
          `allowedHosts[${i}] is none: write my.qelos.example, my.qelos.example:8443 or *.qelos.example, without https://.`,
        );
      }
      if (isWildcard) this.#endings.push(`.${host}`);
      else this.#exact.add(host);
    }
  }

  /** @param url - an absolute one, whose host is compared as `new URL()` writes it: lower case, and without the default port */
  allow(url: string): boolean {
    const { host } = new URL(url);
    if (this.#exact.has(host)) return true;
    return this.#endings.some((ending) => host.length > ending.length && host.endsWith(ending));
  }
}

/** A host as `new URL()` writes it; undefined if the text is anything else or more. */
function hostIn(text: unknown): string | undefined {
  if (typeof text !== 'string' || !/^[^\s/\\@?#*]+$/.test(text)) return undefined;
  try {
    return new URL(`https://${text}`).host;
  } catch {
    return undefined;
  }
}

/** Whether a host is an address, which has nothing below it. */
function isAddress(host: string): boolean {
  return host.startsWith('[') || /^\d+(\.\d+){3}(:\d+)?$/.test(host);
}

function malformed(message: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', message, { hint: 'Correct the options of TenantAuth and start again.' });
}
