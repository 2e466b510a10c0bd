import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { aNumber, anApiToken, anId, aToken, jsonLike, roles, text, texts } from '../shapes';
import { bearer, claimsOf, refreshRequest, type Session, signInRequest, type World } from '../world';

const section = 'Tokens';

const me = (headers: Record<string, string>) => ({ method: 'GET', path: '/api/me', headers });
const lives = { status: 200, type: 'application/json' } as const;
const signedIn = jsonLike(200, { payload: expect.objectContaining({ token: aToken, refreshToken: aToken }) });
const payloadOf = (body = '') => (JSON.parse(body) as { payload: Session }).payload;

/** Two sessions of one user whose tokens are of one second; the clock may turn over between them, but not every time. */
async function twoSessionsInOneSecond(world: World): Promise<[Session, Session]> {
  const account = await world.newUser();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const pair: [Session, Session] = [await world.signIn(account), await world.signIn(account)];
    if (claimsOf(pair[0].token).iat === claimsOf(pair[1].token).iat) return pair;
  }
  throw new Error('no two sign-ins within one second');
}

export const tokenRows: readonly Row[] = [
  row({
    id: 'T01',
    section,
    title: 'the claims of an access token; whole seconds, no jti, text percent-encoded',
    given: (world) => world.newUser({ firstName: 'The Ruler', lastName: 'Müller & Co' }),
    request: (account) => signInRequest(account),
    answer: signedIn,
    also: ({ answers, given }) => {
      const claims = claimsOf(payloadOf(answers[0]?.text).token);
      expect(claims).toEqual({
        sub: given._id,
        tenant: text,
        username: given.username,
        email: given.username,
        firstName: 'The%20Ruler',
        lastName: 'M%C3%BCller%20%26%20Co',
        roles: ['user'],
        iat: aNumber,
        exp: aNumber,
      });
      expect(Number.isInteger(claims.iat) && Number.isInteger(claims.exp)).toBe(true);
    },
  }),
  row({
    id: 'T02',
    section,
    title: 'the claims of an access token with a workspace',
    needs: ['workspaces'],
    given: (world) => world.newMember(),
    request: ({ member }) => signInRequest(member),
    answer: signedIn,
    also: ({ answers, given }) => {
      const { workspace } = claimsOf(payloadOf(answers[0]?.text).token);
      expect(workspace).toEqual({ _id: given.first, name: 'Alpha%20%26%20Omega', roles, labels: texts });
    },
  }),
  row({
    id: 'T03',
    section,
    title: 'the claims of a refresh token',
    needs: ['workspaces'],
    given: (world) => world.newMember(),
    request: ({ member }) => signInRequest(member),
    answer: signedIn,
    also: ({ answers, given }) => {
      const claims = claimsOf(payloadOf(answers[0]?.text).refreshToken);
      const { first } = given;
      const shape = { sub: anId, tenant: text, tokenIdentifier: text, workspace: first, iat: aNumber, exp: aNumber };
      expect(claims).toEqual(shape);
    },
  }),
  row({
    id: 'T04',
    section,
    title: 'both tokens are HS256',
    given: (world) => world.signIn(),
    request: ({ token }) => me(bearer(token)),
    answer: lives,
    also: ({ given: { token, refreshToken } }) => {
      for (const one of [token, refreshToken]) {
        const header = Buffer.from(one.split('.')[0] ?? '', 'base64url').toString();
        expect(JSON.parse(header)).toEqual({ alg: 'HS256', typ: 'JWT' });
      }
    },
  }),
  row({
    id: 'T05',
    section,
    title: 'two sign-ins within one second: the same access token, different refresh tokens',
    given: twoSessionsInOneSecond,
    request: ([first]) => me(bearer(first.token)),
    answer: lives,
    also: ({ given: [first, second] }) => {
      expect(second.token).toBe(first.token);
      expect(second.refreshToken).not.toBe(first.refreshToken);
    },
  }),
  row({
    id: 'T06',
    section,
    title: 'an API token is ql_ and 64 lower-case hex characters',
    needs: ['api-tokens'],
    given: (world) => world.newApiToken(),
    request: ({ key }) => me({ 'x-api-key': key }),
    answer: lives,
    also: ({ given }) => expect(given.key).toEqual(anApiToken),
  }),
  row({
    id: 'T07',
    section,
    title: 'an access token lives on after a refresh',
    given: async (world) => {
      const session = await world.signIn(await world.newUser());
      await world.refresh(session.refreshToken);
      return session;
    },
    request: ({ token }) => me(bearer(token)),
    answer: lives,
  }),
  row({
    id: 'T08',
    section,
    title: 'an access token lives on after a logout',
    given: async (world) => {
      const session = await world.signIn(await world.newUser());
      await world.send({ method: 'POST', path: '/api/logout', headers: bearer(session.token) });
      return session;
    },
    request: ({ token }) => me(bearer(token)),
    answer: lives,
  }),
  row({
    id: 'T09',
    section,
    title: 'an access token lives on after the deletion of its user, whose refresh token does not',
    given: async (world) => {
      const account = await world.newUser();
      const session = await world.signIn(account);
      await world.removeUser(account._id);
      return session;
    },
    request: ({ token }) => me(bearer(token)),
    answer: lives,
    also: async ({ given, world }) => {
      expect((await world.send(refreshRequest(given.refreshToken))).status).toBe(401);
    },
  }),
  row({
    id: 'T10',
    section,
    title: 'an API token that was used lives on after the deletion of its user',
    needs: ['api-tokens'],
    given: async (world) => {
      const account = await world.newUser();
      const { key } = await world.newApiToken(account);
      await world.send(me({ 'x-api-key': key }));
      await world.removeUser(account._id);
      return key;
    },
    request: (key) => me({ 'x-api-key': key }),
    answer: lives,
  }),
  row({
    id: 'T11',
    section,
    title: 'an access token and a refresh token live on after a change of the password',
    given: async (world) => {
      const account = await world.newUser();
      const session = await world.signIn(account);
      const json = { password: 'another password' };
      await world.send({ method: 'POST', path: '/api/me', headers: bearer(session.token), json });
      expect((await world.send(signInRequest(account))).status).toBe(401);
      expect((await world.send(signInRequest({ ...account, ...json }))).status).toBe(200);
      return session;
    },
    request: ({ token }) => me(bearer(token)),
    answer: lives,
    also: async ({ given, world }) => {
      expect((await world.send(refreshRequest(given.refreshToken))).status).toBe(200);
    },
  }),
];
