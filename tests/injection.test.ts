import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AxiosInstance } from 'axios';
import { type DependencyContainer, container as globalContainer, inject, injectable } from 'tsyringe';
import {
  AUTH_CONFIG,
  AUTH_ENV,
  AUTH_STRATEGY,
  type AuthConfig,
  AuthError,
  type AuthStrategy,
  Credential,
  createQelosAuth,
  type Environment,
  QELOS_HTTP,
  QELOS_SDK,
  QelosAuth,
  qelosTokens,
  registerQelosAuth,
} from '../src';
import { type QelosServer, startQelosServer } from '../src/testing';
import { failureOf } from './strategies/obtaining';
import { whenDone } from './support/when-done';

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

const account = (index: number) => {
  const { username, password } = server.users[index] as QelosServer['users'][number];
  return { url: server.url, username, password };
};
const whoAmI = async (http: AxiosInstance) => (await http.get('/api/me')).data.username;

/** What is thrown. */
function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

describe('the configuration', () => {
  it('may be a function of the container, called once and not before it is needed', async () => {
    let calls = 0;
    registerQelosAuth(container, {
      env: {},
      config: (c) => {
        calls++;
        return c.resolve<AuthConfig>('settings');
      },
    });
    container.register('settings', { useValue: account(1) });
    expect(calls).toBe(0);
    expect(await whoAmI(container.createChildContainer().resolve(QELOS_HTTP))).toBe('user');
    expect(container.resolve(AUTH_CONFIG).username).toBe('user');
    expect(calls).toBe(1);
  });

  it('that is a function takes what the registering container holds, whichever is asked first', async () => {
    container.register('settings', { useValue: account(0) });
    registerQelosAuth(container, { env: {}, config: (c) => c.resolve<AuthConfig>('settings') });
    const child = container.createChildContainer();
    child.register('settings', { useValue: account(1) });
    expect(await whoAmI(child.resolve(QELOS_HTTP))).toBe('admin');
  });

  it('that is a promise is a fault that says so', () => {
    registerQelosAuth(container, { env: {}, config: (async () => account(0)) as never });
    expect(thrown(() => container.resolve(QelosAuth))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: 'The option config is a function that returns a promise.',
    });
  });

  const options = { 'without options': () => ({ env: {} }), 'with options': () => ({ env: {}, config: account(0) }) };

  it.each(['before', 'after'])('as AUTH_CONFIG counts when it is registered %s registerQelosAuth', async (when) => {
    for (const [name, given] of Object.entries(options)) {
      const one = container.createChildContainer();
      const register = () => one.register<AuthConfig>(AUTH_CONFIG, { useValue: account(1) });
      if (when === 'before') register();
      registerQelosAuth(one, given());
      if (when === 'after') register();
      expect([name, await whoAmI(one.resolve(QELOS_HTTP))]).toEqual([name, 'user']);
      await one.dispose();
    }
  });

  it('as AUTH_CONFIG may be made from that of the parent', async () => {
    registerQelosAuth(container, { env: {}, config: account(0) });
    const child = container.createChildContainer();
    child.register(AUTH_CONFIG, { useFactory: () => ({ ...container.resolve(AUTH_CONFIG), ...account(1) }) });
    registerQelosAuth(child, { env: {} });
    expect(await whoAmI(child.resolve(QELOS_HTTP))).toBe('user');
    expect(await whoAmI(container.resolve(QELOS_HTTP))).toBe('admin');
  });

  it('reaches strategies of one’s own as AUTH_CONFIG, and the option env as AUTH_ENV', () => {
    const seen: unknown[] = [];
    @injectable()
    class Own {
      readonly name = 'own';
      constructor(@inject(AUTH_CONFIG) config: AuthConfig, @inject(AUTH_ENV) env: Environment) {
        seen.push(config.url, env['OWN_KEY']);
      }
      missing = () => [];
      signIn = async () => Credential.apiKey('k');
    }
    const env = { QELOS_URL: server.url, OWN_KEY: 'k' };
    registerQelosAuth(container, { env, strategies: [Own] });
    container.resolve(QelosAuth);
    createQelosAuth({ env, strategies: [Own] });
    expect(seen).toEqual([server.url, 'k', server.url, 'k']);
  });
});

describe('several accounts in one container', () => {
  it('each have tokens, a session and an end that they share with nobody', async () => {
    registerQelosAuth(container, { env: {}, config: account(0) });
    registerQelosAuth(container, { env: {}, config: account(1), name: 'audit' });
    const { http, sdk, auth } = qelosTokens('audit');
    expect(qelosTokens('audit')).toEqual({ http, sdk, auth });
    expect(new Set([http, sdk, auth, QELOS_HTTP, QELOS_SDK, qelosTokens('billing').http]).size).toBe(6);
    expect(container.resolve(http)).toBe(container.resolve(auth).http);
    expect(container.createChildContainer().resolve(auth)).toBe(container.resolve(auth));

    const names = await Promise.all([whoAmI(container.resolve(http)), whoAmI(container.resolve(QELOS_HTTP))]);
    expect(names).toEqual(['user', 'admin']);
    expect((await container.resolve(sdk).authentication.getLoggedInUser()).username).toBe('user');

    const [first, second] = [container.resolve(QELOS_HTTP), container.resolve(http)];
    await container.dispose();
    for (const closed of [first, second]) {
      expect(await failureOf(closed.get('/api/me'))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    }
    container = globalContainer.createChildContainer();
  });

  it('the one with a name takes no setting, strategy or variable of the other', () => {
    const before = process.env['QELOS_API_TOKEN'];
    process.env['QELOS_API_TOKEN'] = 'ql_of-the-process';
    whenDone(() => {
      if (before === undefined) delete process.env['QELOS_API_TOKEN'];
      else process.env['QELOS_API_TOKEN'] = before;
    });
    container.register<AuthConfig>(AUTH_CONFIG, { useValue: account(0) });
    const own = { name: 'own', missing: () => [], signIn: async () => Credential.apiKey('k') };
    registerQelosAuth(container, { strategies: [own] });
    registerQelosAuth(container, { name: 'audit', config: { url: server.url } });
    expect(thrown(() => container.resolve(qelosTokens('audit').auth))).toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY' });
    expect(container.resolve(QelosAuth).strategy.name).toBe('own');
  });

  it('the one with a name is independent of which container asks for it', async () => {
    registerQelosAuth(container, { env: {}, config: account(0), name: 'audit' });
    const child = container.createChildContainer();
    child.register<AuthConfig>(AUTH_CONFIG, { useValue: account(1) });
    expect(await whoAmI(child.resolve(qelosTokens('audit').http))).toBe('admin');
  });

  it('a strategy of the one may call as the other', async () => {
    @injectable()
    class AsAdmin implements AuthStrategy {
      readonly name = 'as-admin';
      constructor(@inject(QELOS_HTTP) readonly admin: AxiosInstance) {}
      missing = () => [];
      async signIn(): Promise<Credential> {
        const { data } = await this.admin.get('/api/me');
        return Credential.apiKey(server.issueApiToken({ username: data.username }));
      }
    }
    registerQelosAuth(container, { env: {}, config: account(0) });
    registerQelosAuth(container, { env: {}, name: 'audit', config: { url: server.url }, strategies: [AsAdmin] });
    expect(await whoAmI(container.resolve(qelosTokens('audit').http))).toBe('admin');
  });
});

describe('what needs the account that is just being made', () => {
  @injectable()
  class Journal {
    constructor(@inject(QELOS_HTTP) readonly http: AxiosInstance) {}
  }

  @injectable()
  class Own {
    readonly name = 'own';
    constructor(@inject(Journal) readonly journal: Journal) {}
    missing = () => [];
    signIn = async () => Credential.apiKey('k');
  }

  const message = 'QELOS_HTTP needs itself: QELOS_HTTP → Own → Journal → QELOS_HTTP.';

  it.each([
    ['QelosAuth', QelosAuth],
    ['QELOS_HTTP', QELOS_HTTP],
    ['QELOS_SDK', QELOS_SDK],
  ] as const)('ends in one error that names the way, whatever is resolved: %s', (_name, token) => {
    registerQelosAuth(container, { env: {}, config: account(0), strategies: [Own] });
    for (const asked of [container, container.createChildContainer(), container]) {
      const error = thrown(() => asked.resolve<unknown>(token));
      expect(error).toBeInstanceOf(AuthError);
      expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', message, hint: expect.stringContaining('context.http') });
    }
  });

  it('ends so when the classes are asked for first', () => {
    registerQelosAuth(container, { env: {}, config: account(0), strategies: [Own] });
    for (const token of [Journal, Own]) expect(() => container.resolve<unknown>(token)).toThrow('needs itself');
    expect(() => container.resolveAll(AUTH_STRATEGY)).toThrow('needs itself');
  });

  it('ends so for the configuration, a factory, and an account with a name', () => {
    registerQelosAuth(container, { env: {}, config: (c) => ({ url: String(c.resolve(QELOS_HTTP)) }) });
    expect(thrown(() => container.resolve(QelosAuth))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: 'QELOS_HTTP needs itself: QELOS_HTTP → QELOS_HTTP.',
    });
    const audit = qelosTokens('audit');
    registerQelosAuth(container, { name: 'audit', config: (c) => ({ url: String(c.resolve(audit.auth)) }) });
    expect(thrown(() => container.resolve(audit.http))).toMatchObject({ code: 'ERR_AUTH_CONFIG' });
  });

  it('leaves the container usable once it is registered otherwise', async () => {
    registerQelosAuth(container, { env: {}, config: account(0), strategies: [Own] });
    expect(() => container.resolve(QelosAuth)).toThrow(message);
    const sound = container.createChildContainer();
    registerQelosAuth(sound, { env: {}, config: account(0) });
    expect(await whoAmI(sound.resolve(Journal).http)).toBe('admin');
    await sound.dispose();
  });
});

describe('a strategy that is registered twice', () => {
  class Own {
    readonly name = 'own';
    missing = () => [];
    signIn = async () => Credential.apiKey('k');
  }

  it.each<[string, (target: DependencyContainer) => void]>([
    ['by hand', (target) => void target.register(AUTH_STRATEGY, { useClass: Own })],
    ['by another module', (target) => registerQelosAuth(target, { env: {}, config: account(0), strategies: [Own] })],
  ])('as a class, %s and as an option, counts once', (_name, registerFirst) => {
    registerFirst(container);
    registerQelosAuth(container, { env: {}, config: account(0), strategies: [Own, Own] });
    expect(container.resolve(QelosAuth).strategy.name).toBe('own');
  });

  it('as two instances is two strategies, which must not go by one name', () => {
    registerQelosAuth(container, { env: {}, config: account(0), strategies: [new Own(), new Own()] });
    expect(() => container.resolve(QelosAuth)).toThrow('Two strategies have the name "own".');
  });
});
