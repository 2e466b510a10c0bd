import type { CreateAxiosDefaults } from 'axios';
import { Account } from '../account';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy, StrategyObject } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { CredentialManager, type CredentialManagerOptions, type Stage } from '../credentials/credential-manager';
import { isRefusal } from '../credentials/failure';
import { toAuthError } from '../credentials/obtain-errors';
import { type EventHub, resolved } from '../events';
import type { CredentialSource } from '../http/credential-check';
import type { Transport } from '../http/transport';
import { isRefusedCredential } from '../qelos/refusal';
import { takeUser } from '../strategies/sign-in-sdk';
import { strategyContext } from '../strategies/strategy-context';
import type { Pooled, TenantPool } from './tenant-pool';
import type { LoadedTenant, TenantSettings } from './tenant-settings';

/** What all tenants of a `TenantAuth` share. */
export interface Shared extends Pick<EventHub, 'emit'> {
  readonly timeoutMs: number;
  readonly settings: TenantSettings;
  readonly pool: TenantPool<Tenant>;
  /** Those whose settings, when they were last loaded, named another URL. */
  readonly moved: WeakSet<Tenant>;
  /** How servers are reached. */
  readonly connection: CreateAxiosDefaults;
}

/**
 * One tenant on one instance: what keeps its credential, and the strategy that its settings led to when it last signed in. There
 * may be 100,000 of them, so it is itself all that its manager needs to be given: the options, the strategy and the listener of events.
 *
 * It never changes to another URL, as the handles that are out send to this one. A tenant that has moved gets a successor.
 */
export class Tenant implements CredentialManagerOptions, CredentialSource, Pooled<Tenant> {
  readonly id: string;
  readonly #shared: Shared;
  readonly #manager: CredentialManager;
  /** Where it has signed in, and with what; nothing before that. */
  #url = '';
  #chosen: StrategyObject | undefined;
  older: Tenant | undefined;
  newer: Tenant | undefined;

  constructor(id: string, shared: Shared) {
    this.id = id;
    this.#shared = shared;
    this.#manager = new CredentialManager(this);
  }

  /** What its calls are made with, made from the parts that stay; the garbage collector may have it back at any time. */
  handle(axios: CreateAxiosDefaults | undefined, transport: Transport | undefined): Account {
    return new Account({
      url: this.#url,
      source: this,
      strategy: this.strategy,
      events: this.events,
      axios,
      transport,
    });
  }

  /** Whether it needs a successor, as its settings name another URL by now. */
  get hasMoved(): boolean {
    return this.#shared.moved.has(this);
  }

  close(): void {
    this.#manager.close();
  }

  // What the requests of a handle need.

  /** As {@link CredentialManager.get}; errors name the tenant. */
  get(rejected?: Credential): Credential | Promise<Credential> {
    this.#shared.pool.use(this);
    const credential = this.#manager.get(rejected);
    return credential instanceof Promise
      ? credential.catch((error) => Promise.reject(named(error, this.id)))
      : credential;
  }

  stageOf(credential: Credential): Stage {
    return this.#manager.stageOf(credential);
  }

  mayHaveEnded(credential: Credential): boolean {
    return this.#manager.mayHaveEnded(credential);
  }

  replayed(credential: Credential, cured: boolean): void {
    this.#manager.replayed(credential, cured);
  }

  // What the manager needs.

  get strategy(): AuthStrategy {
    return this as AuthStrategy; // a method that its accessor says is undefined is as good as one that is not there
  }

  get timeoutMs(): number {
    return this.#shared.timeoutMs;
  }

  get events(): Pick<EventHub, 'emit'> {
    const mine = <T>(detail: T) => ({ ...detail, instance: this.id, tenant: this.id });
    return {
      emit: (event, made) => this.#shared.emit(event, () => mine(resolved(made))),
    };
  }

  get host(): string | undefined {
    return this.#url ? new URL(this.#url).host : undefined;
  }

  context(signal: AbortSignal): AuthContext {
    return this.#contextAt(this.#url, this.name, signal);
  }

  onFlight(flight: Promise<Credential>): void {
    const { pool } = this.#shared;
    pool.pin(this);
    const over = () => pool.unpin(this);
    flight.then(over, over);
  }

  // The strategy that was chosen for it, whichever that is at the moment.

  get name(): string {
    return this.#chosen?.name ?? 'none';
  }

  missing(): readonly string[] {
    return [];
  }

  /** Loads the settings and signs in as they say. What a flight finds that has been given up changes nothing. */
  async signIn({ signal }: AuthContext, former?: Credential): Promise<Credential> {
    const { url, strategy, skipped } = await this.load(signal);
    if (this.hasMoved) throw movedTenant();
    this.events.emit('strategySelected', { strategy: strategy.name, skipped });
    // What another strategy has obtained is nothing that this one could go by.
    const own = strategy.name === this.#chosen?.name ? former : undefined;
    let credential: Credential;
    try {
      credential = await strategy.signIn(this.#contextAt(url, strategy.name, signal), own);
    } catch (error) {
      throw toAuthError(error, 'sign-in', strategy.name);
    }
    signal.throwIfAborted();
    this.#url = url;
    this.#chosen = strategy;
    takeUser(credential); // nobody may ever ask, and it would stay as long as the credential does
    return credential;
  }

  get refresh(): AuthStrategy['refresh'] {
    const strategy = this.#chosen;
    if (!strategy?.refresh) return undefined;
    return async (current, context) => {
      try {
        return (await strategy.refresh?.(current, context)) as Credential;
      } catch (error) {
        const failure = toAuthError(error, 'refresh', strategy.name);
        // An instance that no longer answers as one may be one that the tenant has left. After a refusal the sign-in finds that out.
        if (!isRefusal(failure)) await this.load(context.signal).catch(() => {});
        throw this.hasMoved ? movedTenant() : failure;
      }
    };
  }

  get authorize(): AuthStrategy['authorize'] {
    const strategy = this.#chosen;
    return strategy?.authorize && ((request, credential) => strategy.authorize?.(request, credential));
  }

  get isReplaced(): AuthStrategy['isReplaced'] {
    const strategy = this.#chosen;
    return strategy?.isReplaced && (async (current) => strategy.isReplaced?.(current) ?? false);
  }

  /** What is configured is looked up again when it is refused, though its strategy knows no other. */
  get isRejected(): AuthStrategy['isRejected'] {
    const strategy = this.#chosen;
    if (!strategy?.isRejected || strategy.isFinal) return undefined;
    return (answer) => (strategy.isConfigured && isRefusedCredential(answer)) || strategy.isRejected?.(answer) === true;
  }

  /** Loads the settings, and finds out whether they lead elsewhere. */
  async load(signal: AbortSignal): Promise<LoadedTenant> {
    const { settings, moved } = this.#shared;
    const loaded = await settings.of(this.id);
    signal.throwIfAborted(); // a load that took too long must not undo what a later one has found
    if (this.#chosen && loaded.url !== this.#url) moved.add(this);
    else moved.delete(this);
    return loaded;
  }

  #contextAt(url: string, strategy: string, signal: AbortSignal): AuthContext {
    return strategyContext(signal, {
      url,
      setting: 'its url',
      strategy,
      connection: this.#shared.connection,
      events: this.events,
    });
  }
}

/** The error that says which tenant it is about. */
function named(error: unknown, tenant: string): unknown {
  if (!(error instanceof AuthError)) return error;
  const { code, message, httpStatus, retryable, retryAfterMs, cause } = error;
  const text = `Tenant ${JSON.stringify(tenant.slice(0, 100))}: ${message}`;
  const hint = code === 'ERR_AUTH_CLOSED' ? CLOSED_HINT : error.hint;
  return new AuthError(code, text, { hint, httpStatus, retryable, retryAfterMs, cause });
}

const CLOSED_HINT =
  'close() of TenantAuth was called, or forget() for this tenant, or for() found that the tenant has moved to another url. Get a new handle by for().';

function movedTenant(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'Its url has changed, and this handle sends to the old one.', {
    hint: 'Get a new handle by for(): it signs in at the new url.',
  });
}
