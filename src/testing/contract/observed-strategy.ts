import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { AuthContext, AuthStrategy, OutgoingRequest } from '../../contract/auth-strategy';
import type { Credential } from '../../contract/credential';

/** An HTTP request of a strategy, by node:http or fetch. */
export interface SentRequest {
  /** Without the query, which may hold a secret: `POST http://127.0.0.1:80/path`. */
  readonly name: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: readonly Header[];
}

type Header = readonly [name: string, value: string];

/** One call of a strategy by the library, and what came of it. */
export interface StrategyCall {
  readonly operation: 'signIn' | 'refresh' | 'authorize';
  /** What `refresh` and `authorize` were given. */
  readonly current: Credential | undefined;
  /** Absent until it settles. */
  outcome?: { readonly value: unknown } | { readonly error: unknown };
  /** Resolves when it has settled, either way. */
  readonly settled: Promise<void>;
  readonly sent: SentRequest[];
  /** What `authorize` changed that it must not, by name. */
  readonly changed: string[];
  /** The headers that `authorize` has set. */
  readonly set: Header[];
}

const CHANNELS = ['http.client.request.start', 'undici:request:create'] as const;

/** Sees every call that the library makes of a strategy, without getting in its way. */
export class StrategyObserver {
  readonly calls: StrategyCall[] = [];
  /** Told of each call as it begins. */
  onCall: (call: StrategyCall) => void = () => {};
  readonly #sender = new AsyncLocalStorage<SentRequest[]>();
  readonly #onRequest = (message: unknown) => {
    // Whose request it is, is known by where it was sent from: a server in the same process sends some too.
    this.#sender.getStore()?.push(sentRequest((message as { request: NativeRequest }).request));
  };

  constructor() {
    for (const channel of CHANNELS) subscribe(channel, this.#onRequest);
  }

  close(): void {
    for (const channel of CHANNELS) unsubscribe(channel, this.#onRequest);
    // Else it costs every later asynchronous step of the process a little.
    this.#sender.disable();
  }

  /** Whether what is done right now is done by the strategy, or because of it. */
  get isInCall(): boolean {
    return this.#sender.getStore() !== undefined;
  }

  /** The calls of one operation, in order. */
  of(operation: StrategyCall['operation']): StrategyCall[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** What is sent during a call that is not asynchronous. */
  sentDuring(body: () => void): SentRequest[] {
    const sent: SentRequest[] = [];
    this.#sender.run(sent, body);
    return sent;
  }

  /** The same strategy for the library, under observation. */
  watch(strategy: AuthStrategy): AuthStrategy {
    const { refresh, isRejected, authorize } = strategy;
    return {
      name: strategy.name,
      missing: () => strategy.missing(),
      signIn: (context: AuthContext) => this.#observe('signIn', undefined, () => strategy.signIn(context)),
      ...(refresh && {
        refresh: (current: Credential, context: AuthContext) =>
          this.#observe('refresh', current, () => refresh.call(strategy, current, context)),
      }),
      ...(isRejected && { isRejected: (answer) => isRejected.call(strategy, answer) }),
      ...(authorize && {
        authorize: (request: OutgoingRequest, credential: Credential) =>
          this.#observe('authorize', credential, (call) =>
            authorize.call(strategy, guarded(request, call), credential),
          ),
      }),
    };
  }

  #observe<T>(
    operation: StrategyCall['operation'],
    current: Credential | undefined,
    start: (call: StrategyCall) => T | Promise<T>,
  ): Promise<T> {
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const call: StrategyCall = { operation, current, settled, sent: [], changed: [], set: [] };
    this.calls.push(call);
    this.onCall(call);
    // A strategy that throws at once, or returns no promise, is called like any other.
    const result = this.#sender.run(call.sent, async () => start(call));
    result
      .then(
        (value) => {
          call.outcome = { value };
        },
        (error: unknown) => {
          call.outcome = { error };
        },
      )
      .finally(settle);
    return result;
  }
}

/** A request of the client behind `fetch`: its headers are names and values in turn, or in old versions their text. */
interface UndiciRequest {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: readonly unknown[] | string;
}

type NativeRequest = ClientRequest | UndiciRequest;

function sentRequest(request: NativeRequest): SentRequest {
  const { method, path } = request;
  const origin = 'origin' in request ? request.origin : `${request.protocol}//${request.getHeader('host')}`;
  return { name: `${method} ${origin}${path.split('?', 1)[0]}`, path, headers: headersOf(request) };
}

function headersOf(request: NativeRequest): Header[] {
  if (!('origin' in request)) return Object.entries(request.getHeaders()).map(([name, value]) => [name, String(value)]);
  const { headers } = request;
  const list =
    typeof headers === 'string'
      ? headers.split('\r\n').flatMap((line) => line.split(/: (.*)/, 2))
      : headers.map(String);
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), list[index + 1] ?? ''] as const] : []));
}

/** A request that notes what is set on it, and who tries to change anything but its headers. */
function guarded(request: OutgoingRequest, { changed, set }: StrategyCall): OutgoingRequest {
  const { headers } = request;
  const noting: OutgoingRequest['headers'] = {
    get: (name) => headers.get(name),
    set(name, value) {
      set.push([name.toLowerCase(), String(value)]);
      headers.set(name, value);
    },
    delete: (name) => headers.delete(name),
  };
  const note = (_: OutgoingRequest, property: string | symbol) => {
    changed.push(`request.${String(property)}`);
    return true;
  };
  return new Proxy({ ...request, headers: noting }, { set: note, defineProperty: note, deleteProperty: note });
}
