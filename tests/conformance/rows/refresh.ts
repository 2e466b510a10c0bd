import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { aToken, empty, jsonLike, roles, text } from '../shapes';
import { bearer, claimsOf, refreshRequest, type Session, type World } from '../world';

const section = 'POST /api/token/refresh';

const refreshed = jsonLike(200, { payload: { user: { email: text, roles }, token: aToken, refreshToken: aToken } });
const refused = empty(401);

const payloadOf = (body = '') => (JSON.parse(body) as { payload: Session }).payload;
const newSession = async (world: World) => world.signIn(await world.newUser());

/** Sessions of one user, made one after another. */
const sessionsOfOneUser = (count: number) => async (world: World) => {
  const account = await world.newUser();
  const sessions: Session[] = [];
  while (sessions.length < count) sessions.push(await world.signIn(account));
  return sessions;
};

const sameTokenAtOnce = (id: string, count: number) =>
  row({
    id,
    section,
    title: `the same token ${count} times at once: exactly one succeeds, and its pair works`,
    given: newSession,
    requests: ({ refreshToken }) => Array.from({ length: count }, () => refreshRequest(refreshToken)),
    tally: { 200: [1, 1], 401: [count - 1, count - 1] },
    answers: [refreshed, refused],
    also: async ({ answers, world }) => {
      const { token, refreshToken } = payloadOf(answers.find(({ status }) => status === 200)?.text);
      const me = await world.send({ method: 'GET', path: '/api/me', headers: bearer(token) });
      expect(me.status).toBe(200);
      expect((await world.send(refreshRequest(refreshToken))).status).toBe(200);
    },
  });

const range = ([min, max]: readonly [number, number]) => (min === max ? `${min}` : `${min} to ${max}`);

const sessionsAtOnce = (id: string, count: number, failing: readonly [number, number]) =>
  row({
    id,
    section,
    title: `${count} sessions of one user at once: ${range(failing)} fail, and succeed sent again one by one`,
    given: sessionsOfOneUser(count),
    requests: (sessions) => sessions.map(({ refreshToken }) => refreshRequest(refreshToken)),
    tally: { 200: [count - failing[1], count - failing[0]], 401: failing },
    answers: [refreshed, refused],
    also: async ({ answers, given, world }) => {
      for (const [index, { status }] of answers.entries()) {
        const session = given[index];
        if (status === 401 && session !== undefined) await world.refresh(session.refreshToken);
      }
    },
  });

export const refreshRows: readonly Row[] = [
  row({
    id: 'R01',
    section,
    title: 'right: the next pair, and a smaller user than at sign-in',
    given: newSession,
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refreshed,
  }),
  row({
    id: 'R02',
    section,
    title: 'a token used before',
    given: async (world) => {
      const session = await newSession(world);
      await world.refresh(session.refreshToken);
      return session;
    },
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refused,
  }),
  row({ id: 'R03', section, title: 'garbage', request: () => refreshRequest('garbage'), answer: refused }),
  row({
    id: 'R04',
    section,
    title: 'an access token',
    given: newSession,
    request: ({ token }) => refreshRequest(token),
    answer: refused,
  }),
  row({
    id: 'R05',
    section,
    title: 'an expired token',
    needs: ['control'],
    given: async (world) => {
      const server = await world.another({ refreshTokenSeconds: 0 });
      const [user] = server.users;
      const json = { username: user?.username, password: user?.password, authType: 'oauth' };
      const answer = await world.send({ method: 'POST', path: '/api/signin', origin: server.url, json });
      return { origin: server.url, refreshToken: payloadOf(answer.text).refreshToken };
    },
    request: ({ origin, refreshToken }) => ({ ...refreshRequest(refreshToken), origin }),
    answer: refused,
  }),
  row({
    id: 'R06',
    section,
    title: 'no token',
    request: () => ({ method: 'POST', path: '/api/token/refresh' }),
    answer: refused,
  }),
  row({
    id: 'R07',
    section,
    title: 'the token in a JSON body, as documented: ignored',
    given: newSession,
    request: ({ refreshToken }) => ({ method: 'POST', path: '/api/token/refresh', json: { refreshToken } }),
    answer: refused,
  }),
  row({
    id: 'R08',
    section,
    title: 'the database fails (set as a fault)',
    needs: ['control'],
    given: async (world) => {
      const session = await newSession(world);
      world.controlled().fail('/api/token/refresh', { status: 401 }, 1);
      return session;
    },
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refused,
  }),
  sameTokenAtOnce('R09', 2),
  sameTokenAtOnce('R10', 10),
  sameTokenAtOnce('R11', 50),
  row({
    id: 'R12',
    section,
    title: 'reuse does not revoke the family',
    given: async (world) => {
      const session = await newSession(world);
      const next = await world.refresh(session.refreshToken);
      await world.send(refreshRequest(session.refreshToken));
      return next;
    },
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refreshed,
  }),
  sessionsAtOnce('R13', 2, [1, 1]),
  sessionsAtOnce('R14', 50, [15, 27]),
  row({
    id: 'R15',
    section,
    title: 'the first refresh of a session with a workspace leaves its _id alone',
    needs: ['workspaces'],
    given: async (world) => {
      const { member, first } = await world.newMember();
      return { ...(await world.signIn(member)), first };
    },
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refreshed,
    also: ({ answers, given }) => {
      expect(claimsOf(payloadOf(answers[0]?.text).token)['workspace']).toEqual({ _id: given.first, name: '' });
    },
  }),
  row({
    id: 'R16',
    section,
    title: 'the second refresh of a session with a workspace leaves nothing of it',
    needs: ['workspaces'],
    given: async (world) => {
      const { member } = await world.newMember();
      return world.refresh((await world.signIn(member)).refreshToken);
    },
    request: ({ refreshToken }) => refreshRequest(refreshToken),
    answer: refreshed,
    also: ({ answers }) => expect(claimsOf(payloadOf(answers[0]?.text).token)).not.toHaveProperty('workspace'),
  }),
  row({
    id: 'R17',
    section,
    title: 'no cap on the sessions of a user: the first of 20 is still good',
    given: sessionsOfOneUser(20),
    request: ([first]) => refreshRequest(first?.refreshToken ?? ''),
    answer: refreshed,
  }),
];
