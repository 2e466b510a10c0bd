import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AxiosInstance } from 'axios';
import { type DependencyContainer, container as globalContainer, inject, injectAll, injectable } from 'tsyringe';
import {
  ApiTokenStrategy,
  AUTH_CONFIG,
  AUTH_STRATEGY,
  type AuthConfig,
  type AuthContext,
  AuthError,
  type AuthStrategy,
  CREDENTIAL_STORE,
  Credential,
  type CredentialStore,
  createQelosAuth,
  OAuthRefreshStrategy,
  QELOS_HTTP,
  QELOS_SDK,
  QelosAuth,
  type QelosAuthOptions,
  registerQelosAuth,
  StrategyResolver,
} from '../src';
import { CredentialManager } from '../src/credentials/credential-manager';
import { EventHub } from '../src/events';
import { type QelosServer, startQelosServer } from '../src/testing';
import { contextFor } from './strategies/obtaining';
import { expectNoSecret } from './support/sinks';

let server: QelosServer;
let container: DependencyContainer;

beforeEach(async () => {
  server = await startQelosServer();
  container = globalContainer.createChildContainer();
});

afterEach(async () => {
  await container.dispose();
  await server.close();
});

const account = (index = 0) => {
  const { username, password } = server.users[index] as QelosServer['users'][number];
  return { url: server.url, username, password };
};
const signIns = () => server.requests.count({ path: '/api/signin' });
const whoAmI = async (http: AxiosInstance) => (await http.get('/api/me')).data.username;

function register(options: QelosAuthOptions = {}, target = container): void {
  registerQelosAuth(target, { env: {}, config: account(), ...options });
}

/** A strategy of one's own that brings an API token. */
@injectable()
class OwnStrategy implements AuthStrategy {
  readonly name: string = 'own';
  readonly #config: AuthConfig;

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    return [];
  }

  async signIn({ http }: AuthContext): Promise<Credential> {
    const { username, password } = this.#config;
    const { data } = await http.post('/api/signin', { username, password, authType: 'oauth' });
    return Credential.bearer(data.payload.token);
  }
}

@injectable()
class OtherStrategy extends OwnStrategy {
  override readonly name = 'other';
}

/** One that a team has ready made. */
const instance = (name: string, missing: readonly string[] = []): AuthStrategy => ({
  name,
  missing: () => missing,
  signIn: async () => Credential.apiKey(server.issueApiToken()),
});

describe('what is registered', () => {
  it('is one instance under every token', async () => {
    register();
    const auth = container.resolve(QelosAuth);
    expect(container.resolve(QelosAuth)).toBe(auth);
    expect(container.resolve(QELOS_HTTP)).toBe(auth.http);
    expect(container.resolve(QELOS_SDK)).toBe(auth.sdk);
    expect(container.resolve(AUTH_CONFIG)).toBe(container.resolve(AUTH_CONFIG));
    await container.resolve(QELOS_HTTP).get('/api/me');
    await container.resolve(QELOS_SDK).authentication.getLoggedInUser();
    await auth.fetch('/api/me');
    expect(signIns()).toBe(1);
  });

  it('whichever of them is resolved first', () => {
    register();
    const http = container.resolve(QELOS_HTTP);
    expect(container.resolve(QelosAuth).http).toBe(http);
  });

  it('is injected by token', async () => {
    @injectable()
    class Service {
      constructor(
        @inject(QELOS_HTTP) readonly http: AxiosInstance,
        @inject(QelosAuth) readonly auth: QelosAuth,
        @injectAll(AUTH_STRATEGY) readonly strategies: AuthStrategy[],
      ) {}
    }
    register();
    const service = container.resolve(Service);
    expect(service.http).toBe(service.auth.http);
    expect(service.strategies.map(({ name }) => name)).toEqual([
      'api-token',
      'api-token-file',
      'session',
      'oauth-refresh',
      'cli-login',
    ]);
    expect(await whoAmI(service.http)).toBe('admin');
  });

  it('reads nothing and checks nothing until something of it is resolved', () => {
    const env = new Proxy<Record<string, string>>(
      {},
      {
        get: () => {
          throw new Error('read');
        },
      },
    );
    registerQelosAuth(container, { env });
    expect(() => container.resolve(QelosAuth)).toThrow('read');
  });

  it('reads process.env at the first resolution where no env is given', () => {
    registerQelosAuth(container);
    const before = { ...process.env };
    Object.assign(process.env, { QELOS_URL: server.url, QELOS_API_TOKEN: 'ql_1' });
    try {
      expect(container.resolve(QELOS_HTTP).defaults.baseURL).toBe(server.url);
    } finally {
      for (const name of ['QELOS_URL', 'QELOS_API_TOKEN']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  it('sends nothing by being resolved', async () => {
    register();
    container.resolve(QELOS_SDK);
    expect(server.requests.count()).toBe(0);
  });

  it('may be registered twice: the last one counts, under every token', async () => {
    register();
    container.resolve(QelosAuth);
    register({ config: account(1) });
    const auth = container.resolve(QelosAuth);
    expect(container.resolve(QELOS_HTTP)).toBe(auth.http);
    expect(auth.strategy.name).toBe('oauth-refresh');
    expect(await whoAmI(auth.http)).toBe('user');
  });

  it('may be registered twice with the same options before it is resolved', async () => {
    register();
    register();
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
    expect(signIns()).toBe(1);
  });

  it('uses an AUTH_CONFIG that is there already, checked like any other', async () => {
    container.register(AUTH_CONFIG, { useValue: account() });
    registerQelosAuth(container);
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');

    const wrong = globalContainer.createChildContainer();
    wrong.register(AUTH_CONFIG, { useValue: { ...account(), url: 'ftp://x' } });
    registerQelosAuth(wrong);
    expect(() => wrong.resolve(QELOS_HTTP)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }));
  });

  it('uses a CREDENTIAL_STORE that is registered', async () => {
    const store = { load: jest.fn(async () => undefined), save: jest.fn(async () => true) };
    container.register<CredentialStore>(CREDENTIAL_STORE, { useValue: store });
    register();
    await container.resolve(QelosAuth).signIn();
    expect(store.save).toHaveBeenCalledTimes(1);
  });
});

describe('a wrong configuration', () => {
  const wrong: [string, QelosAuthOptions, string][] = [
    ['nothing at all', { env: {} }, 'ERR_AUTH_CONFIG'],
    ['http: elsewhere', { env: { QELOS_URL: 'http://x.example' } }, 'ERR_AUTH_INSECURE_URL'],
    ['nothing to sign in with', { env: { QELOS_URL: 'https://x.example' } }, 'ERR_AUTH_NO_STRATEGY'],
    [
      'a strategy nobody knows',
      { env: { QELOS_URL: 'https://x.example', QELOS_AUTH_STRATEGY: 'x' } },
      'ERR_AUTH_CONFIG',
    ],
  ];

  it.each(wrong)('comes up as an AuthError with its code, under every token: %s', (_name, options, code) => {
    registerQelosAuth(container, options);
    for (const token of [QelosAuth, QELOS_HTTP, QELOS_SDK, QelosAuth]) {
      let error: unknown;
      try {
        container.resolve(token as never);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(AuthError);
      expect(error).toMatchObject({ code, hint: expect.any(String) });
    }
  });

  it.each(wrong)('comes up in createQelosAuth: %s', (_name, options, code) => {
    expect(() => createQelosAuth(options)).toThrow(expect.objectContaining({ name: 'AuthError', code }));
  });
});

describe('child containers', () => {
  it('share the instance of their parent if they have nothing of their own: no second sign-in', async () => {
    register();
    const child = container.createChildContainer();
    const grandchild = child.createChildContainer();
    expect(grandchild.resolve(QelosAuth)).toBe(container.resolve(QelosAuth));
    expect(child.resolve(QELOS_HTTP)).toBe(container.resolve(QELOS_HTTP));
    await Promise.all([container, child, grandchild].map((one) => one.resolve(QELOS_HTTP).get('/api/me')));
    expect(signIns()).toBe(1);
  });

  it('share it also if a child is asked first', () => {
    register();
    const auth = container.createChildContainer().resolve(QelosAuth);
    expect(container.resolve(QelosAuth)).toBe(auth);
    expect(container.createChildContainer().resolve(QelosAuth)).toBe(auth);
  });

  it('F57 have an instance of their own if they have an AUTH_CONFIG of their own', async () => {
    register();
    const child = container.createChildContainer();
    child.register(AUTH_CONFIG, { useValue: account(1) });
    expect(child.resolve(QelosAuth)).not.toBe(container.resolve(QelosAuth));
    expect(child.resolve(QelosAuth)).toBe(child.resolve(QelosAuth));
    expect(child.resolve(QELOS_HTTP)).toBe(child.resolve(QelosAuth).http);
    const names = await Promise.all([child, container, child, container].map((one) => whoAmI(one.resolve(QELOS_HTTP))));
    expect(names).toEqual(['user', 'admin', 'user', 'admin']);
  });

  it('F57 a parent that is asked after its child keeps its own configuration', async () => {
    register();
    const child = container.createChildContainer();
    child.register(AUTH_CONFIG, { useValue: account(1) });
    expect(await whoAmI(child.resolve(QELOS_HTTP))).toBe('user');
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
  });

  it('that have a CREDENTIAL_STORE of their own have an instance of their own', async () => {
    register();
    const store = { load: jest.fn(async () => undefined), save: jest.fn(async () => true) };
    const child = container.createChildContainer();
    child.register<CredentialStore>(CREDENTIAL_STORE, { useValue: store });
    await container.resolve(QelosAuth).signIn();
    expect(store.load).not.toHaveBeenCalled();
    await child.resolve(QelosAuth).signIn();
    expect(store.save).toHaveBeenCalledTimes(1);
  });

  it('that register only a strategy keep the built-in ones', () => {
    register();
    const child = container.createChildContainer();
    child.register(AUTH_STRATEGY, { useValue: instance('own', ['OWN_KEY']) });
    expect(child.resolve(QelosAuth).strategy).toEqual({
      name: 'oauth-refresh',
      skipped: [
        { name: 'own', missing: ['OWN_KEY'] },
        { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
        { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
        { name: 'session', missing: ['QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN'] },
      ],
    });
    expect(container.resolve(QelosAuth).strategy.skipped.map(({ name }) => name)).toEqual([
      'api-token',
      'api-token-file',
      'session',
    ]);
  });

  it('follow their nearest owner, however deep', async () => {
    register();
    const child = container.createChildContainer();
    child.register(AUTH_CONFIG, { useValue: account(1) });
    const grandchild = child.createChildContainer();
    const greatGrandchild = grandchild.createChildContainer();
    greatGrandchild.register(AUTH_STRATEGY, { useValue: instance('own') });
    const last = greatGrandchild.createChildContainer();

    expect(grandchild.resolve(QelosAuth)).toBe(child.resolve(QelosAuth));
    expect(last.resolve(QelosAuth)).toBe(greatGrandchild.resolve(QelosAuth));
    expect(last.resolve(QelosAuth).strategy.name).toBe('own');
    expect(await whoAmI(grandchild.resolve(QELOS_HTTP))).toBe('user');
  });

  it('may register everything once more for themselves', async () => {
    register();
    const child = container.createChildContainer();
    register({ config: account(1) }, child);
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
    expect(await whoAmI(child.resolve(QELOS_HTTP))).toBe('user');
    expect(await whoAmI(child.createChildContainer().resolve(QELOS_HTTP))).toBe('user');
  });
});

describe('strategies of one’s own', () => {
  it.each<[string, () => QelosAuthOptions, (target: DependencyContainer) => void, string]>([
    ['a class, as option', () => ({ strategies: [OwnStrategy] }), () => {}, 'own'],
    ['an instance, as option', () => ({ strategies: [instance('mine')] }), () => {}, 'mine'],
    ['in the order given', () => ({ strategies: [instance('first'), OwnStrategy] }), () => {}, 'first'],
    ['the first that lacks nothing', () => ({ strategies: [instance('a', ['A']), OtherStrategy] }), () => {}, 'other'],
    [
      'a class, in the container',
      () => ({}),
      (target) => void target.register(AUTH_STRATEGY, { useClass: OwnStrategy }),
      'own',
    ],
    [
      'an instance, in the container',
      () => ({}),
      (target) => void target.register(AUTH_STRATEGY, { useValue: instance('mine') }),
      'mine',
    ],
  ])('are tried before the built-in ones: %s', async (_name, options, prepare, expected) => {
    register(options());
    prepare(container);
    const auth = container.resolve(QelosAuth);
    expect(auth.strategy.name).toBe(expected);
    expect(await whoAmI(auth.http)).toBe('admin');
  });

  it('registered before registerQelosAuth count as well', () => {
    container.register(AUTH_STRATEGY, { useClass: OwnStrategy });
    register();
    expect(container.resolve(QelosAuth).strategy.name).toBe('own');
  });

  it('given twice are one registration', () => {
    const mine = { name: 'mine', missing: () => [], signIn: async () => Credential.apiKey('key') };
    registerQelosAuth(container, { env: { QELOS_URL: server.url }, strategies: [mine, mine] });
    expect(container.resolve(QelosAuth).strategy.name).toBe('mine');
    expect(container.resolveAll(AUTH_STRATEGY).filter((strategy) => strategy === mine)).toHaveLength(1);
  });

  it('registered by hand and given as well are one registration', () => {
    const mine = { name: 'mine', missing: () => [], signIn: async () => Credential.apiKey('key') };
    container.register(AUTH_STRATEGY, { useValue: mine });
    registerQelosAuth(container, { env: { QELOS_URL: server.url }, strategies: [mine] });
    expect(container.resolve(QelosAuth).strategy.name).toBe('mine');
  });

  it('are pinned by name, over one that would come first', () => {
    register({ strategies: [OwnStrategy, OtherStrategy], config: { ...account(), strategy: 'other' } });
    expect(container.resolve(QelosAuth).strategy).toEqual({ name: 'other', skipped: [] });
  });

  it('with the name of a built-in one are an error', () => {
    register({ strategies: [instance('api-token')] });
    expect(() => container.resolve(QelosAuth)).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_CONFIG', message: 'Two strategies have the name "api-token".' }),
    );
  });

  it('in createQelosAuth', async () => {
    const auth = createQelosAuth({ env: {}, config: account(), strategies: [OwnStrategy] });
    expect(auth.strategy.name).toBe('own');
    expect((await auth.signIn()).user.username).toBe('admin');
    await auth.close();
  });
});

describe('the end', () => {
  it('dispose() closes what the container made', async () => {
    register();
    const own = globalContainer.createChildContainer();
    register({}, own);
    const auth = own.resolve(QelosAuth);
    await auth.http.get('/api/me');
    await own.dispose();
    await expect(auth.http.get('/api/me')).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
  });

  it('dispose() of a child closes its own instance, and not its parent’s', async () => {
    register();
    const sharing = container.createChildContainer();
    sharing.resolve(QELOS_HTTP);
    const owning = container.createChildContainer();
    owning.register(AUTH_CONFIG, { useValue: account(1) });
    const http = owning.resolve(QELOS_HTTP);
    await Promise.all([sharing.dispose(), owning.dispose()]);
    await expect(http.get('/api/me')).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
  });

  it('dispose() of a container whose instance nobody asked for is nothing', async () => {
    const own = globalContainer.createChildContainer();
    register({}, own);
    await own.dispose();
    expect(server.requests.count()).toBe(0);
  });

  it('F56 dispose() during a sign-in ends who waits for it', async () => {
    server.fail('/api/signin', 'hang');
    const own = globalContainer.createChildContainer();
    register({}, own);
    const call = own.resolve(QELOS_HTTP).get('/api/me');
    await own.dispose();
    await expect(call).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });
});

describe('createQelosAuth', () => {
  it('leaves the global container as it was', async () => {
    const auth = createQelosAuth({ env: {}, config: account(), strategies: [OwnStrategy] });
    await auth.http.get('/api/me');
    for (const token of [QELOS_HTTP, QELOS_SDK, QelosAuth, AUTH_CONFIG, AUTH_STRATEGY, CREDENTIAL_STORE]) {
      expect(globalContainer.isRegistered(token as never)).toBe(false);
    }
    await auth.close();
  });

  it('has nothing to do with what the global container configures', async () => {
    globalContainer.register(AUTH_CONFIG, { useValue: account(1) });
    globalContainer.register(AUTH_STRATEGY, { useValue: instance('global') });
    try {
      const auth = createQelosAuth({ env: {}, config: account() });
      expect(auth.strategy).toEqual({
        name: 'oauth-refresh',
        skipped: [
          { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
          { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
          { name: 'session', missing: ['QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN'] },
        ],
      });
      expect(await whoAmI(auth.http)).toBe('admin');
      await auth.close();
    } finally {
      globalContainer.reset();
    }
  });

  it('F57 makes independent instances: two accounts, two origins, at once', async () => {
    const other = await startQelosServer();
    const [admin] = other.users as [QelosServer['users'][number]];
    const auths = [
      createQelosAuth({ env: {}, config: account(0) }),
      createQelosAuth({ env: {}, config: account(1) }),
      createQelosAuth({ env: {}, config: { url: other.url, username: admin.username, password: admin.password } }),
      createQelosAuth({ env: {}, config: { url: server.url, apiToken: server.issueApiToken({ username: 'user' }) } }),
    ];
    for (let round = 0; round < 3; round++) {
      const names = await Promise.all(auths.map(({ http }) => whoAmI(http)));
      expect(names).toEqual(['admin', 'user', 'admin', 'user']);
      server.expireAccessTokens();
      other.expireAccessTokens();
    }
    // What the one may use is nothing to the other's instance.
    const [, , elsewhere] = auths as [QelosAuth, QelosAuth, QelosAuth];
    await expect(elsewhere.http.get(`${server.url}/api/me`)).rejects.toMatchObject({ response: { status: 401 } });
    await Promise.all(auths.map((auth) => auth.close()));
    await other.close();
  });
});

describe('the resolver', () => {
  it('is in the container too, with the candidates of whoever asks', () => {
    register();
    expect(container.resolve(StrategyResolver).resolve().strategy).toBeInstanceOf(OAuthRefreshStrategy);
    const child = container.createChildContainer();
    child.register(AUTH_STRATEGY, { useClass: OwnStrategy });
    expect(child.resolve(StrategyResolver).resolve().strategy).toBeInstanceOf(OwnStrategy);
    expect(container.resolve(StrategyResolver).resolve().strategy).toBeInstanceOf(OAuthRefreshStrategy);
  });
});

describe('F54 no secret is in any sink', () => {
  it('of the container, QelosAuth, its parts, its configuration and its strategies, after real calls', async () => {
    const sent: string[] = [];
    const { username, password } = account();
    register({
      env: { QELOS_URL: server.url, QELOS_USERNAME: username, QELOS_PASSWORD: password },
      config: {},
    });
    const auth = container.resolve(QelosAuth);
    const texts: string[] = [];
    const store: CredentialStore = {
      load: async () => ({ text: texts.at(-1) ?? '', generation: texts.length }),
      save: async (_key, text) => texts.push(text) > 0,
    };
    const storing = container.createChildContainer();
    storing.register<CredentialStore>(CREDENTIAL_STORE, { useValue: store });
    const { http } = storing.resolve(QelosAuth);
    await http.get('/api/me');
    server.expireAccessTokens();
    await http.get('/api/me');
    await auth.signIn();
    for (const text of texts.splice(0)) {
      const { headers, refreshToken } = JSON.parse(text);
      sent.push(headers.authorization.slice('Bearer '.length), refreshToken);
    }
    const config = container.resolve(AUTH_CONFIG);
    for (const value of [
      storing.resolve(QelosAuth),
      config,
      new ApiTokenStrategy(config),
      new OAuthRefreshStrategy(config),
      auth,
      auth.strategy,
      storing,
    ]) {
      expectNoSecret(value, [password, ...sent]);
    }
    expect(sent).toHaveLength(4);
  });

  it('of a manager and of a strategy with an API token', async () => {
    const apiToken = server.issueApiToken();
    const config = { url: server.url, apiToken };
    const auth = createQelosAuth({ env: {}, config });
    await auth.signIn();
    const manager = new CredentialManager({
      strategy: new ApiTokenStrategy(createQelosConfig(config)),
      context: (signal) => contextFor(server.url, signal),
      events: new EventHub('test'),
      timeoutMs: 1_000,
    });
    expect(await manager.get()).toBeInstanceOf(Credential);
    for (const value of [auth, manager, auth.http, auth.sdk, auth.fetch]) expectNoSecret(value, [apiToken]);
    await auth.close();
  });

  function createQelosConfig(config: AuthConfig): AuthConfig {
    const own = globalContainer.createChildContainer();
    registerQelosAuth(own, { env: {}, config });
    return own.resolve(AUTH_CONFIG);
  }
});

describe('S19 the prototype that all objects share', () => {
  const url = 'https://my.qelos.example';
  const token = `ql_${'0123456789abcdef'.repeat(4)}`;

  it.each(['strategies', 'env', 'config', 'store', 'axios', 'transport'])('gives nobody an option: %s', (name) => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    const polluted = {
      name: 'polluted',
      missing: () => [],
      url: 'https://evil.example',
      baseURL: 'https://evil.example',
    };
    prototype[name] = name === 'strategies' ? [polluted] : polluted;
    try {
      const container = globalContainer.createChildContainer();
      registerQelosAuth(container, Object.assign(Object.create(null), { env: {}, config: { url, apiToken: token } }));
      const auth = container.resolve(QelosAuth);
      expect([auth.strategy.name, auth.http.defaults.baseURL]).toEqual(['api-token', url]);
      expect(createQelosAuth({ config: { url, apiToken: token } }).strategy.name).toBe('api-token');
    } finally {
      delete prototype[name];
    }
  });
});
