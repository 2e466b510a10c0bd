import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type AuthEvents,
  Credential,
  type CredentialStore,
  createQelosAuth,
  type QelosAuth,
  type QelosAuthOptions,
} from '../src';
import { EventHub } from '../src/events';
import { type QelosServer, startQelosServer } from '../src/testing';
import { EVENT_NAMES } from './support/event-names';
import { expectNoSecret } from './support/sinks';

const ENTITIES = '/api/blueprints/thing/entities';

describe('listeners', () => {
  const detail = { strategy: 's', durationMs: 1, adopted: false };

  it('get what is emitted, and only what they listen for', () => {
    const hub = new EventHub('test');
    const listener = jest.fn<(detail: AuthEvents['refreshed']) => void>();
    const other = jest.fn<(detail: AuthEvents['signedIn']) => void>();
    hub.on('refreshed', listener);
    hub.on('signedIn', other);
    hub.emit('refreshed', detail);
    expect(listener.mock.calls).toEqual([[{ instance: 'test', ...detail }]]);
    expect(other).not.toHaveBeenCalled();
  });

  it('are typed by the event', () => {
    const hub = new EventHub('test');
    hub.on('refreshed', ({ strategy, adopted }) => {
      const typed: [string, boolean] = [strategy, adopted];
      return typed;
    });
    // @ts-expect-error a sign-in knows nothing of adoption
    hub.on('signedIn', ({ adopted }) => adopted);
    // @ts-expect-error there is no such event
    hub.on('signedOut', () => {});
  });

  it('are called in the order they were added', () => {
    const hub = new EventHub('test');
    const order: number[] = [];
    for (const number of [1, 2, 3]) hub.on('refreshed', () => void order.push(number));
    hub.emit('refreshed', detail);
    expect(order).toEqual([1, 2, 3]);
  });

  it('are removed by the function that adding them returned, and no other is', () => {
    const hub = new EventHub('test');
    const gone = jest.fn();
    const stays = jest.fn();
    const remove = hub.on('refreshed', gone);
    hub.on('refreshed', stays);
    remove();
    remove();
    hub.emit('refreshed', detail);
    expect(gone).not.toHaveBeenCalled();
    expect(stays).toHaveBeenCalledTimes(1);
  });

  it('may remove themselves while they are called', () => {
    const hub = new EventHub('test');
    const after = jest.fn();
    const remove = hub.on('refreshed', () => remove());
    hub.on('refreshed', after);
    hub.emit('refreshed', detail);
    hub.emit('refreshed', detail);
    expect(after).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['an error', new Error('x')],
    ['a string', 'x'],
    ['undefined', undefined],
  ])('that throw %s harm neither the others nor who emits', (_name, thrown) => {
    const hub = new EventHub('test');
    const after = jest.fn();
    hub.on('refreshed', () => {
      throw thrown;
    });
    hub.on('refreshed', after);
    expect(() => hub.emit('refreshed', detail)).not.toThrow();
    expect(after).toHaveBeenCalledTimes(1);
  });

  it('that are async and reject harm nobody either', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const hub = new EventHub('test');
      hub.on('refreshed', async () => {
        throw new Error('later');
      });
      hub.emit('refreshed', detail);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });
});

describe('node:diagnostics_channel', () => {
  it('carries the same under qelos-auth, without a listener', () => {
    const heard: unknown[] = [];
    const onMessage = (message: unknown) => void heard.push(message);
    subscribe('qelos-auth', onMessage);
    try {
      new EventHub('test').emit('requestRetried', { method: 'GET', path: '/api/me', status: 401 });
    } finally {
      unsubscribe('qelos-auth', onMessage);
    }
    new EventHub('test').emit('requestRetried', { method: 'GET', path: '/api/me', status: 401 });
    expect(heard).toEqual([{ event: 'requestRetried', instance: 'test', method: 'GET', path: '/api/me', status: 401 }]);
  });
});

describe('a whole life', () => {
  let server: QelosServer;
  let auth: QelosAuth | undefined;
  let heard: [keyof AuthEvents, object][];
  let published: unknown[];
  const onMessage = (message: unknown) => void published.push(message);

  beforeEach(async () => {
    server = await startQelosServer();
    heard = [];
    published = [];
    subscribe('qelos-auth', onMessage);
  });

  afterEach(async () => {
    unsubscribe('qelos-auth', onMessage);
    await auth?.close();
    auth = undefined;
    await server.close();
  });

  function start(options: QelosAuthOptions = {}): QelosAuth {
    const { username, password } = server.users[0] as QelosServer['users'][number];
    auth = createQelosAuth({ env: {}, config: { url: server.url, username, password }, ...options });
    for (const event of EVENT_NAMES) auth.on(event, (detail) => void heard.push([event, detail]));
    return auth;
  }
  const heardNames = () => heard.map(([event]) => event);

  it('is told event by event', async () => {
    const { http } = start();
    await http.get(ENTITIES, { params: { secret: 'in-the-query' } });
    server.expireAccessTokens();
    await http.get(ENTITIES, { params: { secret: 'in-the-query' } });
    const instance = server.url;
    expect(heard).toEqual([
      [
        'strategySelected',
        {
          instance,
          strategy: 'oauth-refresh',
          skipped: [
            { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
            { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
            { name: 'session', missing: ['QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN'] },
          ],
        },
      ],
      [
        'signedIn',
        { instance, durationMs: expect.any(Number), strategy: 'oauth-refresh', expiresAt: expect.any(Date) },
      ],
      [
        'refreshed',
        {
          instance,
          durationMs: expect.any(Number),
          strategy: 'oauth-refresh',
          expiresAt: expect.any(Date),
          adopted: false,
        },
      ],
      ['requestRetried', { instance, method: 'GET', path: ENTITIES, status: 401 }],
    ]);
  });

  it('tells of the choice once, and to listeners that were added right after', async () => {
    const { http } = start();
    for (let call = 0; call < 3; call++) await http.get(ENTITIES);
    expect(heardNames().filter((name) => name === 'strategySelected')).toHaveLength(1);
  });

  it('tells of a refresh that failed, with the code and the next try', async () => {
    const { http } = start();
    await http.get(ENTITIES);
    server.expireAccessTokens();
    server.fail('/api/token/refresh', { status: 503, headers: { 'retry-after': '9' } });
    await http.get(ENTITIES).catch(() => {});
    expect(heard.at(-1)).toEqual([
      'refreshFailed',
      {
        instance: server.url,
        host: new URL(server.url).host,
        strategy: 'oauth-refresh',
        code: 'ERR_AUTH_UNAVAILABLE',
        httpStatus: 503,
        retryAfterMs: 9_000,
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('tells of a sign-in that failed, once for all calls that meet it', async () => {
    const { http } = start({ config: { url: server.url, username: 'admin', password: 'wrong' } });
    await Promise.allSettled([1, 2, 3].map(() => http.get(ENTITIES)));
    expect(heard.filter(([event]) => event !== 'strategySelected')).toEqual([
      [
        'signInFailed',
        {
          instance: server.url,
          host: new URL(server.url).host,
          strategy: 'oauth-refresh',
          code: 'ERR_AUTH_REFUSED',
          httpStatus: 401,
          retryAfterMs: 30_000,
          durationMs: expect.any(Number),
        },
      ],
    ]);
  });

  it('tells of an API token by the characters that Qelos lists it by, and of its workspace', async () => {
    const { _id: workspace } = await start().sdk.workspaces.create({ name: 'Mine' });
    heard = [];
    const apiToken = server.issueApiToken({ workspace });
    await start({ config: { url: server.url, apiToken } }).signIn();
    expect(heard.at(-1)).toEqual([
      'signedIn',
      {
        instance: server.url,
        strategy: 'api-token',
        tokenPrefix: apiToken.slice(0, 8),
        workspace,
        durationMs: expect.any(Number),
      },
    ]);
  });

  it('tells of a call that the API refuses for a role, and what that means', async () => {
    const { username, password } = server.users[1] as QelosServer['users'][number];
    const { http } = start({ config: { url: server.url, username, password } });
    await http.get('/api/users?secret=in-the-query').catch(() => {});
    expect(heard.at(-1)).toEqual([
      'requestRefused',
      { instance: server.url, method: 'GET', path: '/api/users', status: 401, authCode: 'ERR_AUTH_FORBIDDEN' },
    ]);
  });

  it('tells once that a configured token of known end has less than 14 days left', async () => {
    const apiToken = server.issueApiToken();
    const endsIn = (days: number) => ({
      env: {},
      config: { url: server.url },
      strategies: [
        {
          name: 'own',
          isConfigured: true as const,
          signIn: async () => Credential.apiKey(apiToken, { expiresAt: new Date(Date.now() + days * 24 * 3_600_000) }),
        },
      ],
    });
    for (const days of [15, 13, 12]) await start(endsIn(days)).http.get(ENTITIES);
    expect(heard.filter(([event]) => event === 'credentialExpiring')).toEqual([
      [
        'credentialExpiring',
        { instance: server.url, strategy: 'own', expiresAt: expect.any(Date), tokenPrefix: apiToken.slice(0, 8) },
      ],
    ]);
  });

  it('removes a listener of QelosAuth', async () => {
    const listener = jest.fn();
    const { http, on } = { http: start().http, on: auth?.on.bind(auth) as QelosAuth['on'] };
    on('signedIn', listener)();
    await http.get(ENTITIES);
    expect(listener).not.toHaveBeenCalled();
    expect(heardNames()).toContain('signedIn');
  });

  it('a listener that throws makes no call fail', async () => {
    const { http } = start();
    for (const event of EVENT_NAMES) {
      auth?.on(event, () => {
        throw new Error('listener');
      });
    }
    expect((await http.get(ENTITIES)).status).toBe(200);
    server.expireAccessTokens();
    expect((await http.get(ENTITIES)).status).toBe(200);
  });

  it('F55 no event holds a secret, neither for listeners nor on the channel', async () => {
    const { password } = server.users[0] as QelosServer['users'][number];
    const texts: string[] = [];
    let fails = false;
    const store: CredentialStore = {
      load: async () => ({ text: texts.at(-1) ?? '', generation: texts.length }),
      save: async (_key, text) => {
        texts.push(text);
        if (fails) throw new Error(`cannot write ${text}`);
        return true;
      },
    };
    const { http } = start({ store });
    await http.get(ENTITIES);
    fails = true;
    server.expireAccessTokens();
    await http.get(ENTITIES);
    server.expireAccessTokens();
    server.fail('/api/token/refresh', { status: 500, body: { echo: texts.at(-1) }, headers: { 'retry-after': '60' } });
    await http.get(ENTITIES).catch(() => {});

    server.fail(ENTITIES, { status: 403 });
    await http.get(ENTITIES).catch(() => {});
    const rare = ['signInFailed', 'credentialExpiring', 'actionRequired']; // not of a session that goes on
    expect(new Set([...heardNames(), ...rare])).toEqual(new Set(EVENT_NAMES));
    expect(published).toHaveLength(heard.length);
    const secrets = texts.flatMap((text) => {
      const { headers, refreshToken } = JSON.parse(text);
      return [headers.authorization.slice('Bearer '.length), refreshToken];
    });
    for (const value of [...heard, ...published]) expectNoSecret(value, [password, ...secrets]);
  });

  it('F55 NODE_DEBUG=qelos-auth writes events, and no secret', async () => {
    const { password } = server.users[0] as QelosServer['users'][number];
    const apiToken = server.issueApiToken();
    const source = join(__dirname, '../src');
    // Prints every secret to stdout, so that the test can look for it on stderr.
    const script = `
      const { createQelosAuth } = require(${JSON.stringify(source)});
      const store = {
        load: async () => undefined,
        save: async (_key, text) => {
          const { headers, refreshToken } = JSON.parse(text);
          console.log(headers.authorization ? headers.authorization.slice('Bearer '.length) : headers['x-api-key']);
          if (refreshToken) console.log(refreshToken);
          throw new Error(text);
        },
      };
      (async () => {
        for (const secret of [{ apiToken: process.env.TOKEN }, { username: 'admin', password: process.env.PASSWORD }, { username: 'admin', password: process.env.PASSWORD + '!' }]) {
          const auth = createQelosAuth({ env: {}, config: { url: process.env.URL, ...secret }, store });
          auth.on('signedIn', () => { throw new Error(JSON.stringify(secret)); });
          await auth.http.get('/api/me').catch(() => {});
          await auth.http.get('/api/never', { params: { secret: 'in-the-query' } }).catch(() => {});
          await auth.close();
        }
      })();
    `;
    server.fail('/api/never', { status: 401, body: { message: 'authorization token is not valid.' } });
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '--eval', script], {
      env: { ...process.env, NODE_DEBUG: 'qelos-auth', URL: server.url, TOKEN: apiToken, PASSWORD: password },
    });
    const secrets = stdout.trim().split('\n');
    expect(secrets.length).toBeGreaterThanOrEqual(4); // two pairs of tokens
    for (const event of [
      'strategySelected',
      'signedIn',
      'signInFailed',
      'refreshed',
      'requestRetried',
      'storeFailed',
    ]) {
      expect(stderr).toContain(`${event} {`);
    }
    expect(stderr).toContain('a listener of signedIn threw: Error');
    for (const secret of [password, apiToken, 'in-the-query', ...secrets]) expect(stderr).not.toContain(secret);
  }, 30_000);

  it('without NODE_DEBUG nothing is written', async () => {
    const script = `
      const { createQelosAuth } = require(${JSON.stringify(join(__dirname, '../src'))});
      const auth = createQelosAuth({ env: {}, config: { url: process.env.URL, apiToken: process.env.TOKEN } });
      auth.http.get('/api/me');
    `;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '--eval', script], {
      env: { ...process.env, NODE_DEBUG: '', URL: server.url, TOKEN: server.issueApiToken() },
    });
    expect([stdout, stderr]).toEqual(['', '']);
    expect(server.requests.count({ path: '/api/me', status: 200 })).toBe(2);
  }, 30_000);
});
