import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AxiosInstance } from 'axios';
import { inject, injectable, Lifecycle, container as root, scoped, singleton } from 'tsyringe';
import {
  apiRefusal,
  QELOS_HTTP,
  QELOS_SDK,
  type QelosAuth,
  QelosAuth as QelosAuthClass,
  registerActingFor,
  registerQelosAuth,
} from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { failureOf } from '../strategies/obtaining';
import { listen, startBackend } from '../support/backend';
import { collectGarbage } from '../support/garbage';
import { expectNoSecret } from '../support/sinks';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const ME = '/api/me';
const users = [
  { username: 'admin', password: 'correct-horse-battery', roles: ['admin'] },
  { username: 'ada', password: 'password-of-ada-1' },
  { username: 'bob', password: 'password-of-bob-1' },
];

let server: QelosServer;
let auth: QelosAuth;

beforeEach(async () => {
  server = await startQelosServer({ users });
  auth = openAuth({ config: { url: server.url, apiToken: server.issueApiToken({ username: 'admin' }) } });
});
afterEach(() => server.close());

async function signIn(username: string, more: object = { authType: 'oauth' }) {
  const password = users.find((user) => user.username === username)?.password;
  const answer = await fetch(`${server.url}/api/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password, ...more }),
  });
  const { payload } = (await answer.json()) as { payload: { token?: string } };
  const [cookie = ''] = answer.headers.getSetCookie();
  return { authorization: `Bearer ${payload.token}`, cookie: cookie.split(';')[0] ?? '' };
}
const nameOf = async ({ http }: Pick<QelosAuth, 'http'>) => (await http.get(ME)).data.username;

describe('acting for whoever asked', () => {
  it('sends that user’s own credential, by axios, fetch and SDK', async () => {
    const { authorization } = await signIn('ada');
    const ada = auth.actingFor({ authorization });
    expect(await nameOf(ada)).toBe('ada');
    expect(await (await ada.fetch(ME)).json()).toMatchObject({ username: 'ada' });
    expect(await ada.sdk.authentication.getLoggedInUser()).toMatchObject({ username: 'ada' });
    expect(await nameOf(auth)).toBe('admin');
  });

  it('takes a session cookie and an API token too', async () => {
    const { cookie } = await signIn('bob', {});
    expect(await nameOf(auth.actingFor({ cookie: `theme=dark; ${cookie}` }))).toBe('bob');
    expect(await nameOf(auth.actingFor({ apiKey: server.issueApiToken({ username: 'ada' }) }))).toBe('ada');
  });

  it('passes on nothing else of the caller’s: neither cookies of the host nor other headers', async () => {
    const backend = await startBackend();
    const own = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    const headers = { cookie: 'sid=of-the-host', 'x-api-key': `ql_${'0'.repeat(64)}`, 'x-forwarded-for': '::1' };
    await failureOf(own.actingFor({ headers }).http.get('/x'));
    const [received] = backend.to('/x');
    expect(received?.headers).toMatchObject({ 'x-api-key': headers['x-api-key'] });
    expect(JSON.stringify(received?.headers)).not.toMatch(/of-the-host|forwarded/);
  });

  it('without a credential is an error before anything is sent, and never the plugin', async () => {
    await auth.signIn();
    server.requests.reset();
    const nobody = auth.actingFor({ headers: { cookie: 'sid=1' } });
    const calls = [nobody.http.get(ME), nobody.fetch(ME), nobody.sdk.authentication.getLoggedInUser()];
    for (const call of calls) {
      expect(await failureOf(call)).toMatchObject({ code: 'ERR_AUTH_NO_CREDENTIAL', retryable: false });
    }
    expect(server.requests.count()).toBe(0);
  });

  it('is nobody else even where a caller sets a credential by hand', async () => {
    const ada = auth.actingFor(await signIn('ada'));
    const headers = { 'x-api-key': server.issueApiToken({ username: 'admin' }) };
    expect((await ada.http.get(ME, { headers })).data.username).toBe('ada');
    expect(() => ada.sdk.setCustomHeader('authorization', 'Bearer x')).toThrow(/names another credential/);
  });

  it('F23 a 401 comes back as it is: sent once, no refresh, no sign-in, and a hint about the caller', async () => {
    const ada = auth.actingFor(await signIn('ada'));
    server.expireAccessTokens();
    server.requests.reset();
    const error = await failureOf(ada.http.get(ME));
    expect(error).toMatchObject({ response: { status: 401, data: { message: 'authorization token is not valid.' } } });
    expect(apiRefusal(error)).toEqual({
      authCode: 'ERR_AUTH_SESSION_REFUSED',
      hint: expect.stringContaining('Answer with 401'),
    });
    expect(server.requests.count()).toBe(1);
    expect((await ada.fetch(ME)).status).toBe(401);
    expect(server.requests.count()).toBe(2);
  });

  it('a role that is missing is the caller’s, not the plugin’s', async () => {
    const ada = auth.actingFor(await signIn('ada'));
    const error = await failureOf(ada.http.get('/api/users'));
    expect(apiRefusal(error)).toMatchObject({ authCode: 'ERR_AUTH_FORBIDDEN', hint: expect.stringContaining('403') });
  });

  it('hands out Set-Cookie for whoever wants to pass it back', async () => {
    const backend = await startBackend();
    const own = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    backend.on('/set', (_request, response) => void response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end());
    const { http, fetch } = own.actingFor({ apiKey: backend.apiToken });
    expect((await http.get('/set')).headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect((await fetch('/set')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('F57 many callers at once never mix, with the plugin among them', async () => {
    const [ada, bob] = [await signIn('ada'), await signIn('bob')];
    const who = await Promise.all(
      Array.from({ length: 90 }, (_, i) =>
        nameOf([auth.actingFor(ada), auth.actingFor(bob), auth][i % 3] as QelosAuth),
      ),
    );
    expect(who).toEqual(who.map((_, i) => ['ada', 'bob', 'admin'][i % 3]));
  });

  it('works on once the request is over', async () => {
    const { authorization } = await signIn('ada');
    let kept: Pick<QelosAuth, 'http'> | undefined;
    const plugin = createServer((request, response) => {
      kept = auth.actingFor(request);
      response.end();
    });
    const port = await listen(plugin);
    whenDone(() => new Promise((resolve) => plugin.close(resolve)));
    await fetch(`http://127.0.0.1:${port}`, { headers: { authorization, connection: 'close' } });
    expect(await nameOf(kept as QelosAuth)).toBe('ada');
  });

  it('F54 shows nothing of the credential, whatever is printed', async () => {
    const { authorization } = await signIn('ada');
    const ada = auth.actingFor({ authorization });
    await ada.http.get(ME);
    const token = authorization.slice('Bearer '.length);
    expectNoSecret(ada, [token]);
    expectNoSecret(auth, [token]);
    expectNoSecret(await failureOf(ada.http.get('/api/users')), [token]);
  });

  it('F56 ends when the plugin’s authentication is closed', async () => {
    const ada = auth.actingFor(await signIn('ada'));
    await auth.close();
    expect(await failureOf(ada.http.get(ME))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });

  it('leaves no memory: 10,000 handles, a tenth of them used, are collected', async () => {
    const source = await signIn('ada');
    const handles: WeakRef<object>[] = [];
    for (let i = 0; i < 10_000; i++) {
      const handle = auth.actingFor(source);
      if (i % 10 === 0) void handle.http;
      handles.push(new WeakRef(handle));
    }
    for (let turn = 0; turn < 20 && handles.some((handle) => handle.deref()); turn++) {
      await new Promise(setImmediate);
      collectGarbage();
    }
    expect(handles.filter((handle) => handle.deref()).length).toBeLessThan(10);
  });
});

describe('in a request’s child container', () => {
  @injectable()
  class Transient {
    constructor(
      @inject(QELOS_HTTP) readonly http: AxiosInstance,
      @inject(QELOS_SDK) readonly sdk: QelosAuth['sdk'],
    ) {}
  }
  @scoped(Lifecycle.ContainerScoped)
  class Scoped extends Transient {}
  @singleton()
  class Kept {
    constructor(@inject(QELOS_HTTP) readonly http: AxiosInstance) {}
  }

  const start = () => {
    const container = root.createChildContainer();
    registerQelosAuth(container, { env: {}, config: { url: server.url, apiToken: server.issueApiToken() } });
    whenDone(() => container.dispose());
    return container;
  };

  it('services call as the caller, and stay as they are', async () => {
    const container = start();
    for (const username of ['ada', 'bob']) {
      const child = container.createChildContainer();
      registerActingFor(child, await signIn(username));
      for (const Service of [Transient, Scoped]) {
        const { http, sdk } = child.resolve(Service);
        expect(await nameOf({ http })).toBe(username);
        expect(await sdk.authentication.getLoggedInUser()).toMatchObject({ username });
      }
      expect(await nameOf(child.resolve(QelosAuthClass))).toBe('admin');
    }
    expect(await nameOf(container.resolve(Transient))).toBe('admin');
  });

  it('a singleton that was made before keeps the plugin’s account', async () => {
    const container = start();
    container.resolve(Kept);
    const child = container.createChildContainer();
    registerActingFor(child, await signIn('ada'));
    expect(await nameOf(child.resolve(Kept))).toBe('admin');
    root.clearInstances();
  });

  it('the plugin’s own container is refused: all of it would act as one caller', async () => {
    const container = start();
    const source = await signIn('ada');
    expect(() => registerActingFor(container, source)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }));
  });
});
