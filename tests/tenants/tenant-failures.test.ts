import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import {
  AuthError,
  type AuthErrorDetails,
  type AuthStrategy,
  Credential,
  isAuthError,
  type TenantAuthOptions,
} from '../../src';
import { failureOf } from '../strategies/obtaining';
import { settableClock } from '../support/clock';
import { EVENT_NAMES } from '../support/event-names';
import { leaks } from '../support/secrets';
import { NOWHERE, openTenants, strategyOf } from './open';

const SECRET = 'secret-of-the-database';

const unavailable = (details: Partial<AuthErrorDetails>) =>
  new AuthError('ERR_AUTH_UNAVAILABLE', 'The vault is sealed.', { hint: 'Unseal it.', retryable: true, ...details });

/** An error as another library has one of the same name. */
function namesake(): Error {
  class AuthError extends Error {
    override readonly name = 'AuthError';
    readonly code = 'E_OTHER';
  }
  return new AuthError(SECRET);
}

const odd: [string, () => unknown][] = [
  ['retryAfterMs: NaN', () => unavailable({ retryAfterMs: Number.NaN })],
  ['retryAfterMs: Infinity', () => unavailable({ retryAfterMs: Number.POSITIVE_INFINITY })],
  ['retryAfterMs: -Infinity', () => unavailable({ retryAfterMs: Number.NEGATIVE_INFINITY })],
  ['retryAfterMs: 1e300', () => unavailable({ retryAfterMs: 1e300 })],
  ['retryAfterMs: a text', () => unavailable({ retryAfterMs: 'soon' as never })],
  ['a foreign class AuthError', namesake],
  ['an error without constructor', () => Object.assign(new Error(SECRET), { constructor: undefined })],
  ['an error without prototype', () => Object.setPrototypeOf(new Error(SECRET), null)],
  [
    'an error whose name throws',
    () =>
      Object.defineProperty(new Error('x'), 'name', {
        get: () => {
          throw new Error(SECRET);
        },
      }),
  ],
  ['undefined', () => undefined],
  ['a text', () => SECRET],
];

describe('S10 whatever is thrown becomes an AuthError that names the tenant, and is remembered', () => {
  const throwing = (thrown: () => unknown) => () => {
    throw thrown();
  };
  const places: [string, (thrown: () => unknown, tried: () => void) => Parameters<typeof openTenants>][] = [
    [
      'load()',
      (thrown, tried) => [
        () => {
          tried();
          return throwing(thrown)();
        },
      ],
    ],
    [
      'strategies()',
      (thrown, tried) => [
        () => {
          tried();
          return NOWHERE;
        },
        { strategies: throwing(thrown) },
      ],
    ],
    [
      'missing()',
      (thrown, tried) => [
        () => {
          tried();
          return NOWHERE;
        },
        { strategies: () => [{ ...strategyOf('own'), missing: throwing(thrown) }] },
      ],
    ],
  ];

  for (const [place, make] of places) {
    it.each(odd)(`${place} throws %s: tried once for 200 calls`, async (_name, thrown) => {
      const clock = settableClock();
      let tries = 0;
      const tenants = openTenants(...make(thrown, () => void tries++));
      const errors: Error[] = [];
      for (let i = 0; i < 200; i++) errors.push(await failureOf(tenants.for('x')));
      expect(tries).toBe(1);
      expect(new Set(errors).size).toBe(200);
      for (const error of errors.slice(0, 3)) {
        expect(isAuthError(error)).toBe(true);
        expect(error).toBeInstanceOf(AuthError);
        expect(error).toMatchObject({
          code: expect.stringMatching(/^ERR_AUTH_[A-Z_]+$/),
          message: expect.stringMatching(/^Tenant "x": /),
          hint: expect.stringMatching(/./),
          retryAfterMs: expect.any(Number),
        });
        expect((error as AuthError).retryAfterMs).toBeGreaterThan(0);
        expect((error as AuthError).retryAfterMs).toBeLessThanOrEqual(300_000);
      }
      expect(leaks(errors[0], [SECRET])).toEqual([]);
      clock.advance(300_001);
      await failureOf(tenants.for('x'));
      expect(tries).toBe(2); // and is not remembered for ever
    });
  }

  it.each<[string, TenantAuthOptions['strategies']]>([
    ['no array', (() => 7) as never],
    ['a promise', (async () => []) as never],
  ])('strategies() returns %s', async (_name, strategies) => {
    const error = await failureOf(openTenants(() => NOWHERE, { strategies: strategies as never }).for('x'));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_BAD_RESPONSE',
      message: 'Tenant "x": Its strategies could not be made: TypeError was thrown.',
    });
  });

  it('strategies() returns what is no strategy', async () => {
    const error = await failureOf(openTenants(() => NOWHERE, { strategies: () => [undefined] as never }).for('x'));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: 'Tenant "x": The strategy "unnamed" threw TypeError from missing().',
    });
  });
});

it.each<[string, Partial<AuthStrategy>, TenantAuthOptions, RegExp]>([
  [
    'a strategy that gives no credential',
    { signIn: async () => ({}) as Credential },
    {},
    /^Tenant "x": .*returned no Credential/,
  ],
  [
    'a strategy that never ends',
    { signIn: () => new Promise(() => {}) },
    { timeoutMs: 50 },
    /^Tenant "x": .* within 50 ms/,
  ],
  [
    'a strategy that throws',
    {
      signIn: async () => {
        throw new RangeError(SECRET);
      },
    },
    {},
    /^Tenant "x": The strategy "own" failed at sign-in: it threw RangeError/,
  ],
])('%s: the error names the tenant', async (_name, strategy, options, message) => {
  const strategies = () => [{ ...strategyOf('own'), ...strategy }];
  const tenants = openTenants(() => NOWHERE, { strategies, ...options });
  expect((await failureOf(tenants.for('x'))).message).toMatch(message);
});

it('tenants that fail make room like any others', async () => {
  const tenants = openTenants(() => undefined, { max: 2 });
  for (let i = 0; i < 5; i++) await failureOf(tenants.for(`unknown ${i}`));
  expect(tenants.size).toBe(2);
});

it.each([undefined, null, 7, ['x'], {}])('for(%p) says that this is no name', async (name) => {
  const tenants = openTenants(() => NOWHERE);
  expect(await failureOf(tenants.for(name as string))).toMatchObject({
    code: 'ERR_AUTH_CONFIG',
    message: `The name of a tenant is of type ${typeof name}.`,
  });
  expect(tenants.size).toBe(0);
});

it('S19 what stands on Object.prototype is no option', async () => {
  const foreign = { strategies: () => [strategyOf('foreign')], max: -1, timeoutMs: -1, allowedHosts: [] };
  const open = () => {
    try {
      for (const [name, value] of Object.entries(foreign)) {
        Object.defineProperty(Object.prototype, name, { value, configurable: true });
      }
      return openTenants(() => NOWHERE, {});
    } finally {
      for (const name of Object.keys(foreign)) Reflect.deleteProperty(Object.prototype, name);
    }
  };
  expect(await failureOf(open().for('x'))).toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY' });
});

it("S14 load(), strategies, sign-in and events run in no caller's async context", async () => {
  const caller = new AsyncLocalStorage<string>();
  const seen: [string, string | undefined][] = [];
  const see = (what: string) => void seen.push([what, caller.getStore()]);
  const tenants = openTenants(
    async () => {
      see('load');
      await new Promise(setImmediate);
      see('load, later');
      return NOWHERE;
    },
    {
      strategies: () => {
        see('strategies');
        return [
          {
            ...strategyOf('own'),
            signIn: async () => {
              see('signIn');
              return Credential.apiKey('k');
            },
          },
        ];
      },
    },
  );
  for (const event of ['strategySelected', 'signedIn'] as const) tenants.on(event, () => see(event));
  await Promise.all(
    // More than start in one turn of the event loop.
    Array.from({ length: 120 }, (_, i) =>
      caller.run(`caller ${i}`, async () => {
        await tenants.for(`tenant-${i}`);
        expect(caller.getStore()).toBe(`caller ${i}`);
      }),
    ),
  );
  expect(seen).toHaveLength(120 * 6);
  expect(seen.filter(([, store]) => store !== undefined)).toEqual([]);
});

describe('close()', () => {
  it('ends whoever waits, and what is loaded too late leads to nothing', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let signIns = 0;
    const tenants = openTenants(
      async () => {
        await held;
        return NOWHERE;
      },
      {
        strategies: () => [
          {
            ...strategyOf('own'),
            signIn: async () => {
              signIns++;
              return Credential.apiKey('k');
            },
          },
        ],
      },
    );
    const told: string[] = [];
    for (const event of EVENT_NAMES) tenants.on(event, () => told.push(event));
    const calls = Promise.all([1, 2, 3].map(() => failureOf(tenants.for('x'))));
    await new Promise(setImmediate);
    await tenants.close();
    for (const error of await calls) {
      expect(error).toMatchObject({ code: 'ERR_AUTH_CLOSED', hint: expect.stringContaining('TenantAuth') });
    }
    release();
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    expect([signIns, told, tenants.size]).toEqual([0, [], 0]);
  });

  it('can be called again, and there is nothing to forget any more', async () => {
    const tenants = openTenants(() => NOWHERE, { strategies: () => [strategyOf('own')] });
    await tenants.for('x');
    await tenants.close();
    await tenants.close();
    expect(tenants.forget('x')).toBe(false);
    expect(await failureOf(tenants.for('x'))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });

  it.each<['close' | 'forget', 'strategySelected' | 'signedIn']>([
    ['close', 'strategySelected'],
    ['close', 'signedIn'],
    ['forget', 'strategySelected'],
    ['forget', 'signedIn'],
  ])('S12 %s() in a listener of %s: the call that waits ends, and no request goes out', async (how, event) => {
    let requests = 0;
    const tenants = openTenants(() => NOWHERE, {
      strategies: () => [strategyOf('own')],
      axios: {
        adapter: async (config) => {
          requests++;
          return { status: 200, statusText: 'OK', headers: {}, data: '', config };
        },
      },
    });
    tenants.on(event, ({ tenant }) => void (how === 'close' ? tenants.close() : tenants.forget(tenant)));
    const call = tenants.for('x').then(({ http }) => http.get('/x'));
    expect(await failureOf(call)).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(requests).toBe(0);
  });
});
