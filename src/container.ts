import type { IncomingSource } from './acting/incoming-credential';
import { type AuthConfig, checkedConfig } from './config';
import { AuthError } from './contract/auth-error';
import type { StrategyObject } from './contract/auth-strategy';
import { assemble, type QelosAuthOptions } from './create-qelos-auth';
import { nameOf } from './credentials/obtain-errors';
import type { DependencyContainer, InjectionToken } from './di';
import { ownOptions } from './own-properties';
import { QelosAuth } from './qelos-auth';
import { BUILT_IN, builtInStrategies } from './strategies/built-in';
import { loadConfigOrCli } from './strategies/cli-login';
import { StrategyResolver } from './strategies/resolver';
import {
  AUTH_CONFIG,
  AUTH_ENV,
  AUTH_STRATEGY,
  CREDENTIAL_STORE,
  type Environment,
  QELOS_HTTP,
  QELOS_SDK,
  qelosTokens,
} from './tokens';

/** What {@link registerQelosAuth} can be given: what `createQelosAuth` takes, and what only a container has a use for. */
export interface RegisterOptions extends Omit<QelosAuthOptions, 'config'> {
  /**
   * Settings that win over `env`; or a function that gives them, with what the container holds. It is called once, when the first
   * of them is needed.
   */
  config?: Partial<AuthConfig> | ((container: DependencyContainer) => Partial<AuthConfig>) | undefined;
  /**
   * Registers one more account, under `qelosTokens(name)`, beside the one without a name. It takes no setting of that one: not its
   * `AUTH_CONFIG`, nor its strategies, and an environment only as the option `env`. Default: the container's own account.
   */
  name?: string | undefined;
}

/** What makes a container differ from its parent. */
const INPUTS: readonly InjectionToken[] = [AUTH_CONFIG, AUTH_STRATEGY, CREDENTIAL_STORE];

/**
 * Registers everything in a tsyringe container: `QELOS_HTTP`, `QELOS_SDK`, `QelosAuth`, `AUTH_CONFIG`, `AUTH_ENV`,
 * `StrategyResolver`, and the built-in strategies under `AUTH_STRATEGY`. Nothing is read or checked until something of it is
 * resolved. Where it is called twice, the last call counts.
 *
 * A child container shares its parent's instance, unless it has an `AUTH_CONFIG`, `AUTH_STRATEGY` or `CREDENTIAL_STORE` of
 * its own: then it gets an instance of its own, and so do its children. `container.dispose()` closes what it made.
 *
 * ```ts
 * registerQelosAuth(container, { config: (c) => ({ url: c.resolve(Settings).qelosUrl, apiToken: c.resolve(Settings).token }) });
 * registerQelosAuth(container, { name: 'audit', config: { url, apiToken: auditToken } });
 * ```
 *
 * @throws nothing; resolving throws AuthError if the configuration is wrong, or if something of it needs the account that is just
 *   being made. (tsyringe keeps only the message of an error that comes up inside a constructor's injection: resolve `QelosAuth`
 *   first.)
 */
export function registerQelosAuth(container: DependencyContainer, given: RegisterOptions = {}): void {
  const options = ownOptions(given);
  const { name, env = name === undefined ? undefined : {}, strategies = [], store } = options;
  // An account with a name has its inputs in a container of its own, where they don't mix with those of the other.
  const home = name === undefined ? container : apartFrom(container);
  const environment = () => env ?? process.env;
  const owners = new WeakMap<DependencyContainer, Owner>();
  const ownerOf = (asked: DependencyContainer): Owner => {
    const nearest = name === undefined ? nearestWithInputs(asked, home) : home;
    const owner =
      owners.get(nearest) ?? new Owner(nearest, environment, options, name === undefined ? nearest : container);
    owners.set(nearest, owner);
    return owner;
  };
  const load = once(() => loadConfigOrCli(environment(), overridesOf(options, container)));

  home.register(AUTH_ENV, { useFactory: environment });
  home.register(AUTH_CONFIG, { useFactory: () => configOf(home, load) });
  for (const strategy of new Set(strategies)) {
    if (typeof strategy === 'function') home.register(AUTH_STRATEGY, { useClass: strategy as never });
    else home.register(AUTH_STRATEGY, { useValue: strategy });
  }
  for (const index of BUILT_IN.keys()) {
    home.register(AUTH_STRATEGY, { useFactory: (asked) => ownerOf(asked).builtIn()[index] as StrategyObject });
  }
  if (store) home.register(CREDENTIAL_STORE, { useValue: store });
  home.register(StrategyResolver, { useFactory: (asked) => new StrategyResolver(ownerOf(asked).candidates()) });

  const tokens = name === undefined ? { auth: QelosAuth, http: QELOS_HTTP, sdk: QELOS_SDK } : qelosTokens(name);
  container.register<QelosAuth>(tokens.auth, { useFactory: (asked) => ownerOf(asked).auth('QelosAuth') });
  container.register(tokens.http, { useFactory: (asked) => ownerOf(asked).auth('QELOS_HTTP').http });
  container.register(tokens.sdk, { useFactory: (asked) => ownerOf(asked).auth('QELOS_SDK').sdk });
}

/**
 * Puts {@link QelosAuth.actingFor} under `QELOS_HTTP` and `QELOS_SDK` of a request's child container, so that services need not
 * know on whose behalf they call. What a service is kept by must not outlive the request: register it as `ContainerScoped` or
 * transient, as a singleton would keep the credential of whoever came first and act as that user for all others.
 *
 * @param container - a child, made for this request, of one that has been given to `registerQelosAuth`
 * @param source - as for {@link QelosAuth.actingFor}
 * @throws AuthError `ERR_AUTH_CONFIG` if the source can hold no credential, or the container is no child
 */
export function registerActingFor(container: DependencyContainer, source: IncomingSource): void {
  if (container.isRegistered(QelosAuth)) throw noChild();
  const handle = container.resolve(QelosAuth).actingFor(source);
  container.register(QELOS_HTTP, { useFactory: () => handle.http });
  container.register(QELOS_SDK, { useFactory: () => handle.sdk });
}

function noChild(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'registerActingFor() got the container that the plugin itself calls with.', {
    hint: 'Pass a child of it, made for this request: container.createChildContainer(). Otherwise the whole plugin would act as this caller.',
  });
}

/** A child whose inputs are none of the parent's account: to what is made in it, that is the same as to everybody else. */
function apartFrom(container: DependencyContainer): DependencyContainer {
  const child = container.createChildContainer();
  for (const token of [QelosAuth, QELOS_HTTP, QELOS_SDK]) {
    child.register<unknown>(token, { useFactory: () => container.resolve<unknown>(token) });
  }
  return child;
}

/** A container that has inputs of its own, and what is made of them: each part once, when it is first needed. */
class Owner {
  readonly builtIn: () => readonly StrategyObject[];
  /** The strategies to choose from; a child that registers one hides all those of its parent, and the built-in ones are always there. */
  readonly candidates: () => readonly StrategyObject[];
  readonly #auth: () => QelosAuth;
  #isMaking = false;
  /** What was asked for while it was being made. */
  #cyclic: string | undefined;

  /** @param disposer - the container whose `dispose()` closes the account */
  constructor(
    container: DependencyContainer,
    environment: () => Environment,
    { axios, transport, logger, name, strategies = [] }: RegisterOptions,
    disposer: DependencyContainer,
  ) {
    const config = once(() => checkedConfig(container.resolve(AUTH_CONFIG)));
    this.builtIn = once(() => builtInStrategies(config(), environment()));
    this.candidates = once(() => [...customStrategies(container, strategies), ...this.builtIn()]);
    this.#auth = once(() => {
      const store = container.isRegistered(CREDENTIAL_STORE, true) ? container.resolve(CREDENTIAL_STORE) : undefined;
      const [env, candidates] = [environment(), this.candidates()];
      const auth = assemble({ config: config(), candidates, env, store, axios, transport, logger, name });
      disposer.resolve(Lifetime).auth = auth;
      return auth;
    });
  }

  /** @param token - the name of what is asked for, for the error that says that it needs itself */
  auth(token: string): QelosAuth {
    if (this.#isMaking) {
      this.#cyclic = token;
      throw needsItself(token);
    }
    this.#isMaking = true;
    try {
      return this.#auth();
    } catch (error) {
      throw this.#cyclic === undefined ? error : needsItself(this.#cyclic, error);
    } finally {
      this.#isMaking = false;
      this.#cyclic = undefined;
    }
  }
}

/** Lets `container.dispose()` close what the container made; it disposes of instances of classes only. */
class Lifetime {
  auth: QelosAuth | undefined;

  dispose(): Promise<void> | undefined {
    return this.auth?.close();
  }
}

/** What our registration of AUTH_CONFIG gives while those of others are looked for. */
const OURS: AuthConfig = { url: '' };
const lookedThrough = new WeakSet<DependencyContainer>();

/** The configuration that somebody else registered in a container, before us or after; else ours. */
function configOf(container: DependencyContainer, load: () => AuthConfig): AuthConfig {
  if (lookedThrough.has(container)) return OURS;
  lookedThrough.add(container);
  try {
    return container.resolveAll(AUTH_CONFIG).findLast((config) => config !== OURS) ?? load();
  } finally {
    lookedThrough.delete(container);
  }
}

function overridesOf({ config }: RegisterOptions, container: DependencyContainer): Partial<AuthConfig> | undefined {
  const overrides = typeof config === 'function' ? config(container) : config;
  if (!(overrides instanceof Promise)) return overrides;
  overrides.catch(() => {}); // it would come too late
  throw new AuthError('ERR_AUTH_CONFIG', 'The option config is a function that returns a promise.', {
    hint: 'A container resolves nothing asynchronously: load the settings first, and register then.',
  });
}

/**
 * What others than us have registered. A class that was registered twice is made twice, and is one strategy all the same;
 * instances that somebody has given are as many as they are.
 */
function customStrategies(container: DependencyContainer, given: readonly unknown[]): StrategyObject[] {
  const custom: StrategyObject[] = [];
  for (const strategy of new Set(container.resolveAll(AUTH_STRATEGY))) {
    const Class = strategy.constructor;
    if (BUILT_IN.some(({ Strategy }) => Strategy === Class)) continue;
    const isAnother = Class === Object || given.includes(strategy);
    const isSame = (other: StrategyObject) => other.constructor === Class && nameOf(other) === nameOf(strategy);
    if (isAnother || !custom.some(isSame)) custom.push(strategy);
  }
  return custom;
}

/** The nearest container, from the asked one up to the registering one, that has inputs of its own. */
function nearestWithInputs(asked: DependencyContainer, home: DependencyContainer): DependencyContainer {
  // tsyringe keeps a container's parent to itself.
  const parentOf = (container: DependencyContainer) =>
    (container as unknown as { parent?: DependencyContainer }).parent;
  for (let current: DependencyContainer | undefined = asked; current && current !== home; current = parentOf(current)) {
    if (INPUTS.some((token) => (current as DependencyContainer).isRegistered(token))) return current;
  }
  return home;
}

/** @param error - what tsyringe made of this error on its way up: it says which classes lie between */
function needsItself(token: string, error?: unknown): AuthError {
  const message = error instanceof Error ? error.message : '';
  const classes = [...message.matchAll(/ of "([^"]+)" constructor\. Reason:/g)].map(([, name]) => name);
  return new AuthError('ERR_AUTH_CONFIG', `${token} needs itself: ${[token, ...classes, token].join(' → ')}.`, {
    hint: 'A strategy, the store or the configuration is made before the account is, so it cannot inject QelosAuth, QELOS_HTTP or QELOS_SDK, nor any class that does. In a strategy, call the server by context.http; give the account itself a name of its own if it is another one that is meant.',
  });
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
