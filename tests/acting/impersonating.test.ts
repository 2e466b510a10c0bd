import { describe, expect, it } from '@jest/globals';
import { Credential } from '../../src';
import { startQelosServer } from '../../src/testing';
import { failureOf } from '../strategies/obtaining';
import { startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const ME = '/api/me';
const workspaces = [{ _id: '65f0000000000000000000a1', name: 'First' }];
const users = [
  { username: 'admin', password: 'correct-horse-battery', roles: ['admin'] },
  { username: 'ada', password: 'password-of-ada-1', workspaces },
  { username: 'bob', password: 'password-of-bob-1' },
];

async function start(username = 'admin', accessTokenSeconds = 3600) {
  const server = await startQelosServer({ users, accessTokenSeconds });
  whenDone(() => server.close());
  const { password = '' } = users.find((user) => user.username === username) ?? {};
  const auth = openAuth({ config: { url: server.url, username, password } });
  const idOf = (name: string) => server.users.find((user) => user.username === name)?._id ?? '';
  return {
    server,
    auth,
    ada: auth.impersonating({ user: idOf('ada') }),
    bob: auth.impersonating({ user: idOf('bob') }),
    idOf,
  };
}

/** Who is calling, by each way that a handle has. */
type Handle = Awaited<ReturnType<typeof start>>['ada'];
const byAxios = async ({ http }: Handle): Promise<string> => (await http.get(ME)).data.username;
const byFetch = async ({ fetch }: Handle): Promise<string> =>
  ((await (await fetch(ME)).json()) as { username: string }).username;
const bySdk = async ({ sdk }: Handle): Promise<string> => (await sdk.authentication.getLoggedInUser()).username;
const WAYS = [byAxios, byFetch, bySdk];

describe('acting as a user', () => {
  it('runs as that user, by the plugin’s own credential', async () => {
    const { server, ada } = await start();
    for (const way of WAYS) expect(await way(ada)).toBe('ada');
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  it('and in one of its workspaces', async () => {
    const { auth, idOf } = await start();
    const { http } = auth.impersonating({ user: idOf('ada'), workspace: workspaces[0]?._id });
    expect((await http.get(ME)).data.workspace._id).toBe(workspaces[0]?._id);
  });

  it('F57 two handles and the plain one, used at once, never mix, also across a replay', async () => {
    const { server, auth, ada, bob } = await start();
    const calls = () => Array.from({ length: 9 }, () => WAYS.flatMap((way) => [way(auth), way(ada), way(bob)])).flat();
    const right = (who: string[]) => who.every((name, i) => name === ['admin', 'ada', 'bob'][i % 3]);
    expect(right(await Promise.all(calls()))).toBe(true);
    server.expireAccessTokens();
    server.requests.reset();
    expect(right(await Promise.all(calls()))).toBe(true);
    expect(server.requests.count({ path: '/api/token/refresh' })).toBe(1);
    expect(server.requests.count({ path: ME, status: 401 })).toBeGreaterThan(0);
  });

  it('counts for nothing without privileges', async () => {
    const { ada } = await start('bob');
    expect(await byAxios(ada)).toBe('bob');
  });

  it('an unknown user is the server’s 404', async () => {
    const { auth } = await start();
    const { http } = auth.impersonating({ user: '65f0c0ffee65f0c0ffee65f0' });
    expect(await failureOf(http.get(ME))).toMatchObject({ response: { status: 404 } });
  });

  it('no caller of a handle acts as somebody else by headers of its own', async () => {
    const backend = await startBackend();
    const auth = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    const { http, sdk } = auth.impersonating({ user: 'u1', tenant: 't1' });
    const headers = { 'X-Impersonate-User': 'u2', 'x-impersonate-WORKSPACE': 'w2', 'x-impersonate-tenant': 't2' };
    await http.get('/x', { headers });
    sdk.impersonateUser('u3', 'w3');
    await sdk.authentication.getLoggedInUser();
    await auth.http.get('/plain');
    for (const { headers } of [...backend.to('/x'), ...backend.to('/api/me').slice(-1)]) {
      expect(headers).toMatchObject({ 'x-impersonate-user': 'u1', 'x-impersonate-tenant': 't1' });
      expect(headers).not.toHaveProperty('x-impersonate-workspace');
    }
    expect(JSON.stringify(backend.to('/plain')[0]?.headers)).not.toContain('impersonate');
  });

  it('F01 the headers stay on the origin, and follow a redirect inside it', async () => {
    const [backend, other] = [await startBackend(), await startBackend()];
    const auth = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    const { http } = auth.impersonating({ user: 'u1' });
    backend.on('/in', (_request, response) => void response.writeHead(302, { location: '/there' }).end());
    await http.get('/in');
    expect(backend.to('/there')[0]?.headers).toMatchObject({ 'x-impersonate-user': 'u1' });
    await failureOf(http.get(`${other.url}/x`));
    expect(JSON.stringify(other.to('/x')[0]?.headers)).not.toMatch(/impersonate|ql_/);
  });

  it('a strategy that signs requests signs these headers too', async () => {
    const backend = await startBackend({ other: (_request, response) => void response.writeHead(200).end() });
    const signing = {
      name: 'signing',
      missing: () => [],
      signIn: async () => Credential.headers({ 'x-key-id': 'k1' }),
      authorize(request: {
        headers: { get(name: string): string | undefined; set(name: string, value: string): void };
      }) {
        request.headers.set('x-signature', `of ${request.headers.get('x-impersonate-user')}`);
      },
    };
    const auth = openAuth({ config: { url: backend.url }, strategies: [signing] });
    await auth.impersonating({ user: 'u1' }).http.get('/x');
    expect(backend.to('/x')[0]?.headers).toMatchObject({ 'x-signature': 'of u1', 'x-impersonate-user': 'u1' });
  });

  it.each([
    {},
    { user: undefined },
    { user: '' },
    { user: 'a b' },
    { user: 7 },
    { user: 'u', workspace: '' },
    { user: 'u', tenant: 'x\r\ny: z' },
  ])('S19 %j is refused at once: the account would act as itself', async (whom) => {
    const auth = openAuth({ config: { url: 'http://127.0.0.1:1', apiToken: 'ql_1' } });
    expect(() => auth.impersonating(whom as never)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }));
  });
});
