import { describe, expect, it, jest } from '@jest/globals';
import type { AuthStrategy } from '../../src/contract/auth-strategy';
import { Credential } from '../../src/contract/credential';
import { ApiTokenStrategy } from '../../src/strategies/api-token';
import { ApiTokenFileStrategy } from '../../src/strategies/api-token-file';
import { OAuthRefreshStrategy } from '../../src/strategies/oauth-refresh';
import { StrategyResolver } from '../../src/strategies/resolver';
import { expectNoSecret } from '../support/sinks';

const url = 'https://my.qelos.example';

function own(name: string, missing: readonly string[] = []): AuthStrategy {
  return { name, missing: () => missing, signIn: async () => Credential.apiKey('key') };
}

const builtIn = (config: { apiToken?: string; apiTokenFile?: string; username?: string; password?: string } = {}) => [
  new ApiTokenStrategy({ url, ...config }),
  new ApiTokenFileStrategy({ url, ...config }),
  new OAuthRefreshStrategy({ url, ...config }),
];
const session = { username: 'u', password: 'p' };

describe('the order of choice', () => {
  it.each<[string, AuthStrategy[], string | undefined, string]>([
    ['a token', builtIn({ apiToken: 't' }), undefined, 'api-token'],
    ['a token in a file', builtIn({ apiTokenFile: '/t' }), undefined, 'api-token-file'],
    ['a file before a user name', builtIn({ apiTokenFile: '/t', ...session }).reverse(), undefined, 'api-token-file'],
    ['a user name and a password', builtIn(session), undefined, 'oauth-refresh'],
    ['both: the token wins', builtIn({ apiToken: 't', ...session }), undefined, 'api-token'],
    ['both, whichever is registered first', builtIn({ apiToken: 't', ...session }).reverse(), undefined, 'api-token'],
    ['one’s own before the built-in ones', [...builtIn({ apiToken: 't' }), own('x')], undefined, 'x'],
    ['one’s own in the order given', [own('b'), own('a'), ...builtIn(session)], undefined, 'b'],
    ['one’s own, the first that lacks nothing', [own('b', ['B']), own('a'), ...builtIn(session)], undefined, 'a'],
    [
      'the built-in ones if one’s own lacks something',
      [own('b', ['B']), ...builtIn(session)],
      undefined,
      'oauth-refresh',
    ],
    [
      'the pinned one before all others',
      [own('x'), ...builtIn({ apiToken: 't', ...session })],
      'oauth-refresh',
      'oauth-refresh',
    ],
    ['one’s own, pinned', [own('b'), own('a')], 'a', 'a'],
  ])('%s', (_name, candidates, pinned, expected) => {
    expect(new StrategyResolver(candidates).resolve(pinned).strategy.name).toBe(expected);
  });

  it('leaves the list it was given alone', () => {
    const candidates = Object.freeze([...builtIn(session), own('x')]);
    expect(new StrategyResolver(candidates).resolve().strategy.name).toBe('x');
  });

  it('says why the ones before were skipped, and nothing of the ones after', () => {
    const candidates = [own('a', ['A_KEY', 'A_ID']), own('b', ['B_KEY']), ...builtIn(session), own('c', ['C'])];
    expect(new StrategyResolver(candidates).resolve().skipped).toEqual([
      { name: 'a', missing: ['A_KEY', 'A_ID'] },
      { name: 'b', missing: ['B_KEY'] },
      { name: 'c', missing: ['C'] },
      { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
      { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
    ]);
  });

  it('asks nobody who comes after the chosen one', () => {
    const after = { ...own('after'), missing: jest.fn(() => []) };
    new StrategyResolver([own('first'), after]).resolve();
    expect(after.missing).not.toHaveBeenCalled();
  });

  it('never falls back from the pinned one', () => {
    const resolver = new StrategyResolver(builtIn({ apiToken: 't' }));
    expect(() => resolver.resolve('oauth-refresh')).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_NO_STRATEGY',
        message: expect.stringMatching(/- oauth-refresh: QELOS_USERNAME, QELOS_PASSWORD$/),
      }),
    );
  });
});

describe('F16 no choice', () => {
  it('lists every strategy with what it lacks', () => {
    const resolver = new StrategyResolver([own('x', ['X_KEY']), ...builtIn({ username: 'u' })]);
    expect(() => resolver.resolve()).toThrow(
      expect.objectContaining({
        name: 'AuthError',
        code: 'ERR_AUTH_NO_STRATEGY',
        message: expect.stringContaining(
          '- x: X_KEY\n- api-token: QELOS_API_TOKEN\n- api-token-file: QELOS_API_TOKEN_FILE\n- oauth-refresh: QELOS_PASSWORD',
        ),
      }),
    );
  });

  it.each(['nobody', '', 'API-TOKEN', 'api-token '])('a pinned name that nobody has: %j', (pinned) => {
    const resolver = new StrategyResolver([own('x'), ...builtIn()]);
    expect(() => resolver.resolve(pinned)).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_CONFIG',
        message: expect.stringContaining('QELOS_AUTH_STRATEGY'),
        hint: expect.stringContaining('x, api-token, api-token-file, oauth-refresh'),
      }),
    );
  });

  it('a pinned name is not shown: somebody may have put a secret there', () => {
    try {
      new StrategyResolver(builtIn()).resolve('ql_secret-by-mistake');
      throw new Error('resolved');
    } catch (error) {
      expect((error as { code?: string }).code).toBe('ERR_AUTH_CONFIG');
      expectNoSecret(error, ['ql_secret-by-mistake']);
    }
  });

  it('two strategies of one name, whatever they lack', () => {
    const resolver = new StrategyResolver([own('x'), own('x', ['X_KEY'])]);
    for (const pinned of [undefined, 'x']) {
      expect(() => resolver.resolve(pinned)).toThrow(
        expect.objectContaining({ code: 'ERR_AUTH_CONFIG', message: 'Two strategies have the name "x".' }),
      );
    }
  });

  it('no strategy at all', () => {
    expect(() => new StrategyResolver([]).resolve()).toThrow(expect.objectContaining({ name: 'AuthError' }));
  });

  it.each([
    ['an error', new RangeError('with a secret'), 'RangeError'],
    ['a string', 'a secret', 'string'],
  ])('missing() that throws %s is the fault of that strategy, its text not shown', (_name, thrown, named) => {
    const broken: AuthStrategy = {
      ...own('broken'),
      missing() {
        throw thrown;
      },
    };
    const resolver = new StrategyResolver([broken, ...builtIn(session)]);
    try {
      resolver.resolve();
      throw new Error('resolved');
    } catch (error) {
      expect(error).toMatchObject({
        code: 'ERR_AUTH_CONFIG',
        message: `The strategy "broken" threw ${named} from missing().`,
      });
      expectNoSecret(error, ['a secret']);
    }
  });
});
