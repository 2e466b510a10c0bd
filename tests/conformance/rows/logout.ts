import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { empty, notLoggedIn } from '../shapes';
import { bearer, refreshRequest } from '../world';

const section = 'POST /api/logout';

const logout = (headers: Record<string, string> = {}) => ({ method: 'POST', path: '/api/logout', headers });
const me = (headers: Record<string, string>) => ({ method: 'GET', path: '/api/me', headers });

export const logoutRows: readonly Row[] = [
  row({
    id: 'L01',
    section,
    title: "with a bearer: the session's refresh token dies, the access token lives on",
    given: async (world) => world.signIn(await world.newUser()),
    request: ({ token }) => logout(bearer(token)),
    answer: empty(200),
    also: async ({ given, world }) => {
      expect((await world.send(refreshRequest(given.refreshToken))).status).toBe(401);
      expect((await world.send(me(bearer(given.token)))).status).toBe(200);
    },
  }),
  row({
    id: 'L02',
    section,
    title: 'with a bearer: other sessions and keys of the user are untouched',
    needs: ['api-tokens'],
    given: async (world) => {
      const account = await world.newUser();
      const { key } = await world.newApiToken(account);
      // The cookie stands for another session; two bearers of one second could not be told apart.
      return { key, cookie: await world.cookie(account), token: (await world.signIn(account)).token };
    },
    request: ({ token }) => logout(bearer(token)),
    answer: empty(200),
    also: async ({ given: { key, cookie }, world }) => {
      expect((await world.send(me({ 'x-api-key': key }))).status).toBe(200);
      expect((await world.send(me({ cookie }))).status).toBe(200);
    },
  }),
  row({
    id: 'L03',
    section,
    title: 'with a key: it works on',
    needs: ['api-tokens'],
    given: (world) => world.newApiToken(),
    request: ({ key }) => logout({ 'x-api-key': key }),
    answer: empty(200),
    also: async ({ given, world }) => {
      expect((await world.send(me({ 'x-api-key': given.key }))).status).toBe(200);
    },
  }),
  row({ id: 'L04', section, title: 'without a credential', request: () => logout(), answer: notLoggedIn }),
];
