import type { IncomingHttpHeaders } from 'node:http';

/** Which of the requests received to count. What is left out matches all. */
export interface RequestFilter {
  /** In any letter case. */
  readonly method?: string | undefined;
  /** The path without the query. */
  readonly path?: string | undefined;
  /** The status answered; a request that was reset, or is still waiting, has none. */
  readonly status?: number | undefined;
}

/** A request as it was received, without its secrets. */
export interface ReceivedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** By lower-case names. `'[hidden]'` stands for the value of each that holds a secret, such as `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Parsed JSON, the text of other text, the bytes (a Buffer) of the rest; cut at 100 kB. `'[hidden]'` stands for each
   * `password` in JSON. Undefined for none, and until all of it has come.
   */
  readonly body: unknown;
  /** The status answered. Undefined for a request that was reset, or is still waiting. */
  readonly status: number | undefined;
}

/** What the log is told about a request as it goes on. */
export interface LoggedRequest {
  answered(status: number): void;
  /** Once its body has come. */
  carried(body: unknown): void;
}

interface Tally {
  readonly method: string;
  readonly path: string;
  received: number;
  readonly byStatus: Map<number, number>;
}

/** So many requests are kept whole: a storm of a million must not fill the memory. All of them are counted. */
const REQUESTS_KEPT = 1_000;

const HIDDEN = '[hidden]';

/** Headers by whose name one has to expect a secret, those of custom strategies included. */
const SECRET_HEADER = /authorization|cookie|(?<!idempotency-)key|token|secret|password|signature|credential/i;

/** Counts the requests received, and keeps the latest. No secret is kept. */
export class RequestLog {
  readonly #tallies = new Map<string, Tally>();
  #latest: ReceivedRequest[] = [];

  received(method: string, path: string, query: URLSearchParams, headers: IncomingHttpHeaders): LoggedRequest {
    const tally = this.#tallyOf(method, path);
    tally.received += 1;
    const request = {
      method,
      path,
      query: Object.fromEntries(query),
      headers: withoutSecrets(headers),
      body: undefined as unknown,
      status: undefined as number | undefined,
    };
    this.#latest.push(request);
    if (this.#latest.length >= 2 * REQUESTS_KEPT) this.#latest = this.#latest.slice(-REQUESTS_KEPT);
    return {
      answered(status) {
        request.status = status;
        tally.byStatus.set(status, (tally.byStatus.get(status) ?? 0) + 1);
      },
      carried(body) {
        request.body = withoutPasswords(body);
      },
    };
  }

  #tallyOf(method: string, path: string): Tally {
    const key = `${method} ${path}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { method, path, received: 0, byStatus: new Map() };
      this.#tallies.set(key, tally);
    }
    return tally;
  }

  count(filter: RequestFilter = {}): number {
    let count = 0;
    for (const tally of this.#tallies.values()) {
      if (!matches(tally, filter)) continue;
      count += filter.status === undefined ? tally.received : (tally.byStatus.get(filter.status) ?? 0);
    }
    return count;
  }

  /** Copies, in the order received. */
  list(filter: RequestFilter = {}): ReceivedRequest[] {
    return this.#latest
      .slice(-REQUESTS_KEPT)
      .filter((request) => matches(request, filter) && (filter.status ?? request.status) === request.status)
      .map((request) => ({ ...request }));
  }

  /** Starts again at none. Requests still under way are forgotten too. */
  reset(): void {
    this.#tallies.clear();
    this.#latest = [];
  }
}

function matches(
  request: { readonly method: string; readonly path: string },
  { method, path }: RequestFilter,
): boolean {
  return (method ?? request.method).toUpperCase() === request.method && (path ?? request.path) === request.path;
}

/** Headers come in few names and in storms: each name is judged once. */
const isSecretHeader = new Map<string, boolean>();

export function withoutSecrets(headers: IncomingHttpHeaders): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name in headers) {
    let isSecret = isSecretHeader.get(name);
    if (isSecret === undefined) {
      isSecret = SECRET_HEADER.test(name);
      isSecretHeader.set(name, isSecret);
    }
    shown[name] = isSecret ? HIDDEN : String(headers[name]);
  }
  return shown;
}

/** A copy of JSON; bytes and text stay as they are. */
export function withoutPasswords(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return body;
  return JSON.parse(JSON.stringify(body, (name, value) => (name === 'password' ? HIDDEN : value)));
}
