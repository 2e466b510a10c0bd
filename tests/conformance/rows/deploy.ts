import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { empty, json, jsonLike, refused } from '../shapes';
import { bearer, refreshRequest, signInRequest, type World } from '../world';

const section = 'While the auth service is being deployed, or down';
const needs = ['control'] as const;

const me = (headers: Record<string, string>) => ({ method: 'GET', path: '/api/me', headers });
const fine = { status: 200, type: 'application/json' } as const;

/** What there is before the auth service is told to end, and after. */
async function deploying(world: World) {
  const account = await world.newUser();
  const session = await world.signIn(account);
  const met = { 'x-api-key': world.controlled().issueApiToken() };
  const unmet = { 'x-api-key': world.controlled().issueApiToken() };
  await world.send(me(met));
  return { account, session, met, unmet, takeOver: world.controlled().deploy() };
}

const afterwards = ({ given }: { given: { takeOver: () => void } }) => given.takeOver();

export const deployRows: readonly Row[] = [
  row({
    id: 'D01',
    section,
    title: 'a right password: cannot be told from a wrong one',
    needs,
    given: deploying,
    request: ({ account }) => signInRequest(account),
    answer: json(401, { errors: { general: { message: 'Invalid username or password' } } }),
    also: async ({ given, world }) => {
      given.takeOver();
      expect((await world.send(signInRequest(given.account))).status).toBe(200);
    },
  }),
  row({
    id: 'D02',
    section,
    title: 'a good refresh token: 401, and not consumed',
    needs,
    given: deploying,
    request: ({ session }) => refreshRequest(session.refreshToken),
    answer: empty(401),
    also: async ({ given, world }) => {
      given.takeOver();
      expect((await world.send(refreshRequest(given.session.refreshToken))).status).toBe(200);
    },
  }),
  row({
    id: 'D03',
    section,
    title: 'a key it has not met',
    needs,
    given: deploying,
    request: ({ unmet }) => me(unmet),
    answer: refused(401, 'API token authentication failed'),
    also: async ({ given, world }) => {
      given.takeOver();
      expect((await world.send(me(given.unmet))).status).toBe(200);
    },
  }),
  row({
    id: 'D04',
    section,
    title: 'a key it has met',
    needs,
    given: deploying,
    request: ({ met }) => me(met),
    answer: fine,
    also: afterwards,
  }),
  row({
    id: 'D05',
    section,
    title: 'a bearer',
    needs,
    given: deploying,
    request: ({ session }) => me(bearer(session.token)),
    answer: fine,
    also: afterwards,
  }),
  row({
    id: 'D06',
    section,
    title: 'the new one has met no key yet',
    needs,
    given: async (world) => {
      const before = await deploying(world);
      before.takeOver();
      return { ...before, takeOver: world.controlled().deploy() };
    },
    request: ({ met }) => me(met),
    answer: refused(401, 'API token authentication failed'),
    also: afterwards,
  }),
  row({
    id: 'D07',
    section,
    title: 'down: its own paths are answered by the gateway, with 504 as text',
    needs,
    given: async (world) => ({ account: world.admin, takeOver: world.controlled().stopAuthService() }),
    request: ({ account }) => signInRequest(account),
    answer: { status: 504, type: 'text/plain' },
    also: afterwards,
  }),
  row({
    id: 'D08',
    section,
    title: 'down: a good credential is passed on to the others as anonymous',
    needs,
    given: async (world) => {
      const headers = await world.as();
      return { headers, takeOver: world.controlled().stopAuthService() };
    },
    request: ({ headers }) => ({ method: 'GET', path: '/api/blueprints/thing/entities', headers }),
    answer: refused(401, 'you must be logged in to access'),
    also: afterwards,
  }),
  row({
    id: 'D09',
    section,
    title: 'its database is frozen: a good credential is passed on to the others as anonymous',
    needs,
    given: async (world) => {
      const headers = await world.as();
      return { headers, takeOver: world.controlled().freezeDatabase() };
    },
    request: ({ headers }) => ({ method: 'GET', path: '/api/integrations', headers }),
    answer: empty(401),
    also: afterwards,
  }),
  row({
    id: 'D10',
    section,
    title: 'its database is frozen: a sign-in waits, and succeeds once it is thawed',
    needs,
    given: async (world) => {
      const account = await world.newUser();
      const thaw = world.controlled().freezeDatabase();
      // What needs no database comes back first; the sign-in, sent before it, is still waiting by then.
      const waiting = world.send(signInRequest(account));
      await world.send({ method: 'GET', path: '/.well-known/oauth-authorization-server' });
      thaw();
      expect((await waiting).status).toBe(200);
      return account;
    },
    request: (account) => signInRequest(account),
    answer: jsonLike(200, { payload: expect.any(Object) }),
  }),
];
