import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { container as globalContainer, inject, injectable } from 'tsyringe';
import type { AuthConfig } from '../src';

const made: string[] = [];

/** Classes that tell when one of them is made. */
function counted(path: string): object {
  const actual = jest.requireActual<Record<string, unknown>>(path);
  return Object.fromEntries(
    Object.entries(actual).map(([name, value]) => {
      if (!name.endsWith('Strategy')) return [name, value];
      const Strategy = value as new (...args: unknown[]) => object;
      const construct = (Class: typeof Strategy, args: unknown[]) => {
        made.push(name);
        return new Class(...args);
      };
      const Counted = new Proxy(Strategy, { construct });
      Strategy.prototype.constructor = Counted;
      return [name, Counted];
    }),
  );
}

const PATHS = ['api-token', 'api-token-file', 'session', 'oauth-refresh', 'cli-login'].map(
  (name) => `../src/strategies/${name}`,
);
let library: typeof import('../src');

beforeAll(() => {
  for (const path of PATHS) jest.doMock(path, () => counted(path));
  library = jest.requireActual('../src');
});

const URL = 'https://my.qelos.example';
const TOKEN = `ql_${'0123456789abcdef'.repeat(4)}`;
const ONCE_EACH = [
  'ApiTokenFileStrategy',
  'ApiTokenStrategy',
  'CliLoginStrategy',
  'OAuthRefreshStrategy',
  'SessionStrategy',
];

beforeEach(() => {
  made.length = 0;
});

/** An object that counts how often each of its properties is read. */
function counting<T extends object>(values: T): { object: T; reads: Record<string, number> } {
  const reads: Record<string, number> = {};
  const get = (target: T, name: string | symbol) => {
    reads[String(name)] = (reads[String(name)] ?? 0) + 1;
    return Reflect.get(target, name);
  };
  return { object: new Proxy(values, { get }), reads };
}

describe('everything is read once and made once', () => {
  it('by createQelosAuth', () => {
    const env = counting<Record<string, string>>({ QELOS_USERNAME: 'u', QELOS_PASSWORD: 'p' });
    const config = counting({ url: URL, workspace: 'w' });
    expect(library.createQelosAuth({ env: env.object, config: config.object }).strategy.name).toBe('oauth-refresh');
    expect([env.reads['QELOS_USERNAME'], env.reads['QELOS_PASSWORD'], config.reads['workspace']]).toEqual([1, 1, 1]);
    expect([...made].sort()).toEqual(ONCE_EACH);
  });

  it('by a container, whatever is resolved and however often', () => {
    const container = globalContainer.createChildContainer();
    const config = counting({ url: URL, apiToken: TOKEN });
    container.register<AuthConfig>(library.AUTH_CONFIG, { useValue: config.object });
    library.registerQelosAuth(container, { env: {} });
    expect(container.resolve(library.QelosAuth).strategy.name).toBe('api-token');
    container.createChildContainer().resolve(library.QelosAuth);
    expect(config.reads).toMatchObject({ apiToken: 1 });
    expect([...made].sort()).toEqual(ONCE_EACH);
  });

  it('a strategy class too', () => {
    let times = 0;
    class Own {
      readonly name = 'own';
      constructor() {
        times++;
      }
      missing = () => [];
      signIn = async () => library.Credential.apiKey(TOKEN);
    }
    expect(library.createQelosAuth({ env: {}, config: { url: URL }, strategies: [Own, Own] }).strategy.name).toBe(
      'own',
    );
    expect(times).toBe(1);
  });
});

describe('without a container', () => {
  it('a strategy class is given settings, their environment and what the global container holds', () => {
    class Clock {}
    @injectable()
    class Own {
      readonly name = 'own';
      constructor(
        @inject(library.AUTH_CONFIG) readonly config: AuthConfig,
        @inject(library.AUTH_ENV) readonly env: Record<string, string>,
        @inject('clock') readonly clock: Clock,
      ) {
        seen.push(config.url, env['OWN_KEY'], clock);
      }
      missing = () => [];
      signIn = async () => library.Credential.apiKey(TOKEN);
    }
    const seen: unknown[] = [];
    const clock = new Clock();
    globalContainer.register('clock', { useValue: clock });
    try {
      library.createQelosAuth({ env: { QELOS_URL: URL, OWN_KEY: 'k' }, strategies: [Own] });
      expect(seen).toEqual([URL, 'k', clock]);
    } finally {
      globalContainer.reset();
    }
  });

  it('two instances of one class that go by one name are an error', () => {
    class Own {
      readonly name = 'own';
      missing = () => [];
      signIn = async () => library.Credential.apiKey(TOKEN);
    }
    const create = () => library.createQelosAuth({ env: {}, config: { url: URL }, strategies: [new Own(), new Own()] });
    expect(create).toThrow(library.AuthError);
    expect(create).toThrow('Two strategies have the name "own".');
  });
});
