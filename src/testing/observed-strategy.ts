import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import type { Credential } from '../credentials/credential';
import type { AuthContext, AuthStrategy, OutgoingRequest } from '../strategies/auth-strategy';

/** One call of a strategy by the library, and what came of it. */
export interface StrategyCall {
  readonly operation: 'signIn' | 'refresh' | 'authorize';
  /** What `refresh` and `authorize` were given. */
  readonly current: Credential | undefined;
  /** Absent until it settles. */
  outcome?: { readonly value: unknown } | { readonly error: unknown };
  /** Resolves when it has settled, either way. */
  readonly settled: Promise<void>;
  /** The HTTP requests it sent, by node:http or fetch, as `POST http://127.0.0.1:80/path`. */
  readonly sent: string[];
  /** What `authorize` changed that it must not, by name. */
  readonly changed: string[];
}

const CHANNELS = ['http.client.request.start', 'undici:request:create'] as const;

/** Sees every call that the library makes of a strategy, without getting in its way. */
export class StrategyObserver {
  readonly calls: StrategyCall[] = [];
  /** Told of each call as it begins. */
  onCall: (call: StrategyCall) => void = () => {};
  readonly #sender = new AsyncLocalStorage<string[]>();
  readonly #onRequest = (message: unknown) => {
    // Whose request it is, is known by where it was sent from: a server in the same process sends some too.
    this.#sender.getStore()?.push(nameOf((message as { request: SentRequest }).request));
  };

  constructor() {
    for (const channel of CHANNELS) subscribe(channel, this.#onRequest);
  }

  close(): void {
    for (const channel of CHANNELS) unsubscribe(channel, this.#onRequest);
    // Else it costs every later asynchronous step of the process a little.
    this.#sender.disable();
  }

  /** The calls of one operation, in order. */
  of(operation: StrategyCall['operation']): StrategyCall[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** What is sent during a call that is not asynchronous. */
  sentDuring(body: () => void): string[] {
    const sent: string[] = [];
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
          this.#observe('authorize', credential, ({ changed }) =>
            authorize.call(strategy, guarded(request, changed), credential),
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
    const call: StrategyCall = { operation, current, settled, sent: [], changed: [] };
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

/** A request of node:http, or of the client behind `fetch`. */
type SentRequest = Pick<ClientRequest, 'method' | 'protocol' | 'path' | 'getHeader'> & { origin?: string };

/** Without the query, which may hold a secret. */
function nameOf(request: SentRequest): string {
  const origin = request.origin ?? `${request.protocol}//${request.getHeader('host')}`;
  return `${request.method} ${origin}${request.path.split('?', 1)[0]}`;
}

/** A request that notes who tries to change it. Its headers may be changed, as long as those of the caller stay. */
function guarded(request: OutgoingRequest, changed: string[]): OutgoingRequest {
  const note = (_: OutgoingRequest, property: string | symbol) => {
    changed.push(`request.${String(property)}`);
    return true;
  };
  return new Proxy(request, { set: note, defineProperty: note, deleteProperty: note });
}
