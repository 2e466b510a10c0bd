import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { anId, badBearer, badKey, jsonLike, notLoggedIn, page, refused, roles, text, texts } from '../shapes';
import { bearer, claimsOf, type World } from '../world';

const section = 'Which credential counts';

const me = (headers: Record<string, string> = {}) => ({ method: 'GET', path: '/api/me', headers });
const admin = (world: World) => world.as();
const unknownKey = `ql_${'0'.repeat(64)}`;

const profile = {
  _id: anId,
  tenant: text,
  username: text,
  email: text,
  name: text,
  firstName: text,
  lastName: text,
  fullName: text,
  roles,
  metadata: {},
};
const known = jsonLike(200, profile);

/** A plain user's bearer and key, and the name of the cookie of their tenant. */
async function credentials(world: World) {
  const account = await world.newUser();
  const { token } = await world.signIn(account);
  return { account, token, cookieName: `qlt_${String(claimsOf(token)['tenant']).slice(0, 8)}` };
}

/** An admin and a plain user, and whom they would act as. */
async function asSomebodyElse(world: World) {
  const user = await world.newUser();
  return { user, admin: await world.as(), plain: await world.as(await world.newUser()) };
}

export const credentialRows: readonly Row[] = [
  row({ id: 'C01', section, title: 'nothing', request: () => me(), answer: notLoggedIn }),
  row({ id: 'C02', section, title: 'bearer: garbage', request: () => me(bearer('garbage')), answer: badBearer }),
  row({
    id: 'C03',
    section,
    title: 'bearer: expired',
    needs: ['control'],
    given: async (world) => {
      const headers = await world.as();
      world.controlled().expireAccessTokens();
      return headers;
    },
    request: me,
    answer: badBearer,
  }),
  row({
    id: 'C04',
    section,
    title: 'bearer: a refresh token',
    given: (world) => world.signIn(),
    request: ({ refreshToken }) => me(bearer(refreshToken)),
    answer: badBearer,
  }),
  row({
    id: 'C05',
    section,
    title: 'bearer: an API token',
    needs: ['api-tokens'],
    given: (world) => world.newApiToken(),
    request: ({ key }) => me(bearer(key)),
    answer: badBearer,
  }),
  row({
    id: 'C06',
    section,
    title: '`Bearer ` with nothing',
    request: () => me({ authorization: 'Bearer ' }),
    answer: page(500),
  }),
  row({
    id: 'C07',
    section,
    title: 'a value without a scheme',
    given: (world) => world.signIn(),
    request: ({ token }) => me({ authorization: token }),
    answer: page(500),
  }),
  row({
    id: 'C08',
    section,
    title: 'key: unknown (one of another tenant is unknown too)',
    request: () => me({ 'x-api-key': unknownKey }),
    answer: badKey,
  }),
  row({ id: 'C09', section, title: 'key: malformed', request: () => me({ 'x-api-key': 'key' }), answer: badKey }),
  row({
    id: 'C10',
    section,
    title: 'key: expired',
    needs: ['control'],
    given: async (world) => world.controlled().issueApiToken({ expiresAt: new Date(0) }),
    request: (key) => me({ 'x-api-key': key }),
    answer: badKey,
  }),
  row({
    id: 'C11',
    section,
    title: 'key: revoked, which takes effect at once',
    needs: ['api-tokens'],
    given: async (world) => {
      const headers = await world.as();
      const { key, _id } = await world.newApiToken();
      await world.send(me({ 'x-api-key': key }));
      await world.send({ method: 'DELETE', path: `/api/me/api-tokens/${_id}`, headers });
      return key;
    },
    request: (key) => me({ 'x-api-key': key }),
    answer: badKey,
  }),
  row({
    id: 'C12',
    section,
    title: 'key: scoped to a workspace that is gone',
    needs: ['workspaces', 'api-tokens'],
    given: async (world) => {
      const { member, second } = await world.newMember();
      const { key } = await world.newApiToken(member, { workspace: second });
      await world.removeWorkspace(second);
      return key;
    },
    request: (key) => me({ 'x-api-key': key }),
    answer: badKey,
  }),
  row({
    id: 'C13',
    section,
    title: 'good credential, role missing: 401, not 403 as documented',
    given: async (world) => world.as(await world.newUser()),
    request: (headers) => ({ method: 'GET', path: '/api/users', headers }),
    answer: refused(401, 'you are not privileged.'),
  }),
  row({
    id: 'C14',
    section,
    title: 'good credential with the role',
    given: admin,
    request: (headers) => ({ method: 'GET', path: '/api/users', headers }),
    answer: jsonLike(200, expect.arrayContaining([expect.objectContaining({ _id: anId, username: text })])),
  }),
  row({
    id: 'C15',
    section,
    title: 'unknown route',
    given: admin,
    request: (headers) => ({ method: 'GET', path: '/api/me/nothing-here', headers }),
    answer: page(404),
  }),
  row({
    id: 'C16',
    section,
    title: 'API version 2 in the path',
    given: admin,
    request: (headers) => ({ method: 'GET', path: '/api/v2/me', headers }),
    answer: refused(400, 'Unsupported API version: v2'),
  }),
  row({
    id: 'C17',
    section,
    title: 'API version 1 in the path: no route, though it is the version served',
    given: admin,
    request: (headers) => ({ method: 'GET', path: '/api/v1/me', headers }),
    answer: page(404),
  }),
  row({
    id: 'C18',
    section,
    title: 'without a version in the path: x-api-version says v1',
    given: admin,
    request: me,
    answer: { status: 200, type: 'application/json' },
    also: ({ answers }) => expect(answers[0]?.headers['x-api-version']).toBe('v1'),
  }),
  row({
    id: 'C19',
    section,
    title: 'a bad key beside a good bearer',
    given: admin,
    request: (headers) => me({ ...headers, 'x-api-key': unknownKey }),
    answer: badKey,
  }),
  row({
    id: 'C20',
    section,
    title: 'a cookie named token with junk beside a good bearer',
    given: credentials,
    request: ({ token }) => me({ ...bearer(token), cookie: 'token=junk' }),
    answer: notLoggedIn,
  }),
  row({
    id: 'C21',
    section,
    title: 'a cookie named qlt_<tenant> with junk beside a good bearer',
    given: credentials,
    request: ({ token, cookieName }) => me({ ...bearer(token), cookie: `a=b; ${cookieName}=junk` }),
    answer: notLoggedIn,
  }),
  row({
    id: 'C22',
    section,
    title: 'an empty x-api-key counts as absent',
    given: credentials,
    request: ({ token }) => me({ ...bearer(token), 'x-api-key': '' }),
    answer: known,
  }),
  row({
    id: 'C23',
    section,
    title: 'a good key beside a junk cookie and a junk bearer',
    needs: ['api-tokens'],
    given: async (world) => world.newApiToken(await world.newUser()),
    request: ({ key }) => me({ 'x-api-key': key, cookie: 'token=junk', ...bearer('junk') }),
    answer: known,
  }),
  row({
    id: 'C24',
    section,
    title: 'a good cookie beside a junk bearer',
    given: async (world) => world.cookie(await world.newUser()),
    request: (cookie) => me({ cookie, ...bearer('junk') }),
    answer: known,
  }),
  row({
    id: 'C25',
    section,
    title: 'GET /api/me with a workspace',
    needs: ['workspaces'],
    given: async (world) => world.as((await world.newMember()).member),
    request: me,
    answer: jsonLike(200, { ...profile, workspace: { _id: anId, name: text, roles, labels: texts } }),
  }),
  row({
    id: 'C26',
    section,
    title: 'acting as somebody else: a privileged account runs as that user',
    given: asSomebodyElse,
    request: ({ admin, user }) => me({ ...admin, 'x-impersonate-user': user._id }),
    answer: { status: 200, type: 'application/json' },
    also: ({ answers, given: { user } }) => {
      expect(JSON.parse(answers[0]?.text ?? '')).toMatchObject({ _id: user._id, username: user.username });
    },
  }),
  row({
    id: 'C27',
    section,
    title: 'acting as somebody else: unknown user',
    given: admin,
    request: (headers) => me({ ...headers, 'x-impersonate-user': 'f'.repeat(24) }),
    answer: refused(404, 'Impersonated user not found'),
  }),
  row({
    id: 'C28',
    section,
    title: 'acting as somebody else: ignored for accounts without privileges',
    given: asSomebodyElse,
    request: ({ plain, user }) => me({ ...plain, 'x-impersonate-user': user._id }),
    answer: { status: 200, type: 'application/json' },
    also: ({ answers, given: { user } }) => expect(JSON.parse(answers[0]?.text ?? '')._id).not.toBe(user._id),
  }),
  row({
    id: 'C29',
    section,
    title: 'MCP: the metadata of the authorization server',
    needs: ['gateway'],
    request: () => ({ method: 'GET', path: '/.well-known/oauth-authorization-server' }),
    answer: { status: 200, type: 'application/json' },
  }),
  row({
    id: 'C30',
    section,
    title: 'MCP: authorize, while it is off',
    needs: ['control'],
    request: () => ({ method: 'GET', path: '/api/auth/mcp/authorize' }),
    answer: { status: 503, type: 'application/json' },
  }),
  row({
    id: 'C31',
    section,
    title: 'MCP: token, while it is off',
    needs: ['control'],
    request: () => ({ method: 'POST', path: '/api/auth/mcp/token' }),
    answer: { status: 503, type: 'application/json' },
  }),
];
