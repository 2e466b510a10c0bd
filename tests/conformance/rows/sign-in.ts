import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { aNumber, anId, aToken, json, jsonLike, page, roles, text, texts } from '../shapes';
import { type Account, type Session, signInRequest, type World } from '../world';

const section = 'POST /api/signin';

const user = { username: text, email: text, firstName: text, lastName: text, name: text, roles };
const signedIn = jsonLike(200, { payload: { token: aToken, refreshToken: aToken, user } });
const wrong = json(401, { errors: { general: { message: 'Invalid username or password' } } });
const noPassword = json(401, { errors: { password: { code: 'EMPTY_PASSWORD' } } });
const conflict = jsonLike(401, { errors: { general: { version: aNumber, modifiedPaths: ['lastLogin', 'tokens'] } } });

const newUser = (world: World) => world.newUser();
const newMember = (world: World) => world.newMember();

/** A user with more sessions than a sign-in can append to without a conflict. */
async function userWithManySessions(world: World): Promise<Account> {
  const account = await world.newUser();
  for (let session = 0; session < 12; session += 1) await world.signIn(account);
  return account;
}

const many = (count: number) => (account: Account) => Array.from({ length: count }, () => signInRequest(account));

const payloadOf = (body: string) => (JSON.parse(body) as { payload: Session }).payload;

export const signInRows: readonly Row[] = [
  row({
    id: 'S01',
    section,
    title: 'right, with authType "oauth": tokens and the user',
    given: newUser,
    request: ({ username, password }) => signInRequest({ username, password }),
    answer: signedIn,
  }),
  row({
    id: 'S02',
    section,
    title: 'right, without authType: a cookie session and no tokens',
    given: newUser,
    request: ({ username, password }) => ({ method: 'POST', path: '/api/signin', json: { username, password } }),
    answer: jsonLike(200, { payload: { user } }),
    also: ({ answers }) => {
      const [value, ...attributes] = answers[0]?.headers['set-cookie']?.[0]?.split('; ') ?? [];
      expect(value).toMatch(/^qlt_[^=]+=./);
      expect(attributes).toEqual([
        expect.stringMatching(/^Max-Age=\d+$/),
        expect.stringMatching(/^Domain=./),
        'Path=/api',
        expect.stringMatching(/^Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/),
        'HttpOnly',
        'Secure',
        'SameSite=None',
      ]);
    },
  }),
  row({
    id: 'S03',
    section,
    title: 'wrong password',
    given: newUser,
    request: ({ username }) => signInRequest({ username, password: 'wrong' }),
    answer: wrong,
  }),
  row({
    id: 'S04',
    section,
    title: 'unknown user: cannot be told from a wrong password',
    request: () => signInRequest({ username: 'nobody@example.com', password: 'wrong' }),
    answer: wrong,
  }),
  row({
    id: 'S05',
    section,
    title: 'the user lacks the role named in roles[]: cannot be told from a wrong password',
    given: newUser,
    request: (account) => signInRequest(account, { roles: ['admin'] }),
    answer: wrong,
  }),
  row({
    id: 'S06',
    section,
    title: 'the user has one of the roles named in roles[]',
    given: newUser,
    request: (account) => signInRequest(account, { roles: ['admin', 'user'] }),
    answer: signedIn,
  }),
  row({
    id: 'S07',
    section,
    title: 'name in other letter case: cannot be told from a wrong password',
    given: newUser,
    request: ({ username, password }) => signInRequest({ username: username.toUpperCase(), password }),
    answer: wrong,
  }),
  row({
    id: 'S08',
    section,
    title: 'empty password',
    given: newUser,
    request: ({ username }) => signInRequest({ username, password: '' }),
    answer: noPassword,
  }),
  row({
    id: 'S09',
    section,
    title: 'missing password',
    given: newUser,
    request: ({ username }) => ({ method: 'POST', path: '/api/signin', json: { username, authType: 'oauth' } }),
    answer: noPassword,
  }),
  row({
    id: 'S10',
    section,
    title: 'a password that is no string',
    given: newUser,
    request: (account) => signInRequest(account, { password: 12345678 }),
    answer: noPassword,
  }),
  row({
    id: 'S11',
    section,
    title: 'a body that is not JSON by content type',
    given: newUser,
    request: ({ username, password }) => ({
      method: 'POST',
      path: '/api/signin',
      headers: { 'content-type': 'text/plain' },
      raw: JSON.stringify({ username, password, authType: 'oauth' }),
    }),
    answer: noPassword,
  }),
  row({
    id: 'S12',
    section,
    title: 'missing username',
    request: () => ({ method: 'POST', path: '/api/signin', json: { password: 'any', authType: 'oauth' } }),
    answer: json(401, { errors: { password: 'password is incorrect' } }),
  }),
  row({
    id: 'S13',
    section,
    title: 'malformed JSON',
    request: () => ({
      method: 'POST',
      path: '/api/signin',
      headers: { 'content-type': 'application/json' },
      raw: '{"username":',
    }),
    answer: page(400),
  }),
  row({
    id: 'S14',
    section,
    title: 'a body over 100 kB',
    request: () => signInRequest({ username: 'nobody@example.com', password: 'x'.repeat(110_000) }),
    answer: page(413),
  }),
  row({
    id: 'S15',
    section,
    title: 'blanks around the password are trimmed',
    given: newUser,
    request: ({ username, password }) => signInRequest({ username, password: `  ${password}\n` }),
    answer: signedIn,
  }),
  row({
    id: 'S16',
    section,
    title: 'several at once of a user with few sessions: all succeed',
    given: newUser,
    requests: many(5),
    tally: { 200: [5, 5] },
    answers: [signedIn],
  }),
  row({
    id: 'S17',
    section,
    title: '10 at once of a user with more than 10 sessions: 1 to 5 succeed, the others conflict',
    given: userWithManySessions,
    requests: many(10),
    tally: { 200: [1, 5], 401: [5, 9] },
    answers: [signedIn, conflict],
  }),
  row({
    id: 'S18',
    section,
    title: '50 at once of a user with more than 10 sessions: 1 to 23 succeed, the others conflict',
    given: userWithManySessions,
    requests: many(50),
    tally: { 200: [1, 23], 401: [27, 49] },
    answers: [signedIn, conflict],
  }),
  row({
    id: 'S19',
    section,
    title: 'after a conflict the same sign-in succeeds when sent again',
    given: userWithManySessions,
    requests: many(10),
    tally: { 200: [1, 5], 401: [5, 9] },
    answers: [signedIn, conflict],
    also: async ({ given, world }) => {
      expect((await world.send(signInRequest(given))).status).toBe(200);
    },
  }),
  row({
    id: 'S20',
    section,
    title: 'the database is down: cannot be told from a wrong password (set as a fault; the 30 s are left out)',
    needs: ['control'],
    given: async (world) => {
      const body = { errors: { general: { message: 'Invalid username or password' } } };
      world.controlled().fail('/api/signin', { status: 401, body }, 1);
      return world.admin;
    },
    request: (admin) => signInRequest(admin),
    answer: wrong,
  }),
  row({
    id: 'S21',
    section,
    title: 'a member of workspaces who names none and has not signed in to one is put in the first',
    needs: ['workspaces'],
    given: newMember,
    request: ({ member }) => signInRequest(member),
    answer: jsonLike(200, {
      payload: {
        token: aToken,
        refreshToken: aToken,
        user,
        workspace: { _id: anId, name: 'Alpha & Omega', roles, labels: texts },
      },
    }),
    also: ({ answers, given }) => expect(payloadOf(answers[0]?.text ?? '').workspace?._id).toBe(given.first),
  }),
  row({
    id: 'S22',
    section,
    title: 'workspace in the body selects it',
    needs: ['workspaces'],
    given: newMember,
    request: ({ member, second }) => signInRequest(member, { workspace: second }),
    answer: jsonLike(200, {
      payload: {
        token: aToken,
        refreshToken: aToken,
        user,
        workspace: { _id: anId, name: 'Beta', roles, labels: texts },
      },
    }),
    also: ({ answers, given }) => expect(payloadOf(answers[0]?.text ?? '').workspace?._id).toBe(given.second),
  }),
  row({
    id: 'S23',
    section,
    title: 'a workspace that cannot be selected: signed in without one',
    needs: ['workspaces'],
    given: newMember,
    request: ({ member }) => signInRequest(member, { workspace: 'f'.repeat(24) }),
    answer: signedIn,
  }),
  row({
    id: 'S24',
    section,
    title: 'a member of workspaces who names none is put in the one of the last sign-in',
    needs: ['workspaces'],
    given: async (world) => {
      const found = await world.newMember();
      await world.signIn(found.member, { workspace: found.second });
      return found;
    },
    request: ({ member }) => signInRequest(member),
    answer: { status: 200, type: 'application/json' },
    also: ({ answers, given }) => expect(payloadOf(answers[0]?.text ?? '').workspace?._id).toBe(given.second),
  }),
  row({
    id: 'S25',
    section,
    title: 'removed from the workspace of the last sign-in: none for one sign-in, then the first',
    needs: ['workspaces'],
    given: async (world) => {
      const found = await world.newMember();
      await world.signIn(found.member, { workspace: found.second });
      await world.removeMembers(found.second);
      return found;
    },
    request: ({ member }) => signInRequest(member),
    answer: signedIn,
    also: async ({ given: { member, first }, world }) => {
      expect((await world.signIn(member)).workspace?._id).toBe(first);
    },
  }),
  row({
    id: 'S26',
    section,
    title: 'an invalid sign-up: 200 with errors',
    request: () => ({ method: 'POST', path: '/api/signup', json: { username: 'nobody@example.com' } }),
    answer: jsonLike(200, { errors: expect.any(Object) }),
  }),
];
