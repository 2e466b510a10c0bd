import type { AxiosInstance, AxiosRequestConfig } from 'axios';
import { axiosInUse } from './axios';

/** A URL is absolute for axios if it begins with a scheme and two slashes, or with two slashes. */
const ABSOLUTE = /^([a-z][a-z\d+\-.]*:)?\/\//i;

/** The one place that credentials may be sent to: scheme, host and port of the instance. */
export class Origin {
  /** Host and port, as in a `Host` header. */
  readonly host: string;
  /** Whether what is sent can be read on the way, so that it must not pass through a proxy. */
  readonly isPlain: boolean;
  readonly #origin: string;
  /** The last base URL that was judged; nearly always the only one. */
  #judged: { baseURL: string; isOurs: boolean } | undefined;

  constructor(url: string) {
    const { host, origin, protocol } = new URL(url);
    this.host = host;
    this.isPlain = protocol === 'http:';
    this.#origin = origin;
  }

  /** Whether a URL leads here. One with a user name or password in it does not: it carries a credential of its own. */
  owns(url: string): boolean {
    try {
      const { origin, username, password } = new URL(url);
      return origin === this.#origin && username === '' && password === '';
    } catch {
      return false;
    }
  }

  /** Whether the request that an adapter would make of this config leads here, and by no socket of somebody else. */
  ownsRequest(config: AxiosRequestConfig): boolean {
    if (config.socketPath) return false;
    const { baseURL, url } = config;
    // Whatever follows a base URL cannot leave its host, as axios puts a slash between them.
    if (baseURL && (config.allowAbsoluteUrls === false || url === undefined || !ABSOLUTE.test(url))) {
      return this.#ownsBase(baseURL);
    }
    // Parameters come after the host: no need to let axios put the whole of it together.
    return this.owns(url !== undefined && ABSOLUTE.test(url) ? url : resolveUrl(config));
  }

  #ownsBase(baseURL: string): boolean {
    if (this.#judged?.baseURL !== baseURL) this.#judged = { baseURL, isOurs: this.owns(baseURL) };
    return this.#judged.isOurs;
  }
}

/** axios without defaults: those of the process are in a request's config already, or have come too late to be sent. */
let plain: Pick<AxiosInstance, 'getUri'> | undefined;

/** The URL that an adapter would send a config to, with its parameters; as far as axios can tell. */
export function resolveUrl(config: AxiosRequestConfig): string {
  try {
    plain ??= new (axiosInUse().Axios)({});
    return plain.getUri(config);
  } catch {
    return ''; // the adapter fails on it too, and says why
  }
}

/** A URL as `new URL()` writes it, without its fragment, which is never sent; what is no URL as it is. */
export function normalUrl(url: string): string {
  try {
    const normal = new URL(url);
    normal.hash = '';
    return normal.href;
  } catch {
    return url;
  }
}

/** The URL as it goes over the wire: axios' http adapter puts the parameters on when the rest is in its normal form. */
export function wireUrl(config: AxiosRequestConfig): string {
  const { params: _, ...target } = config;
  const { baseURL: __, ...rest } = config;
  return resolveUrl({ ...rest, url: normalUrl(resolveUrl(target)) });
}

/** Warns where credentials are sent to a host unencrypted, as somebody has allowed. */
export function warnOfInsecureUrl(): void {
  process.emitWarning('QELOS_URL begins with http:// and allowInsecureUrl is set: credentials travel readable.', {
    type: 'SecurityWarning',
    code: 'QELOS_AUTH_INSECURE_URL',
  });
}
