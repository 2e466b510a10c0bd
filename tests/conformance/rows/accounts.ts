import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { aDate, anId, json, jsonLike, refused, roles, text, texts } from '../shapes';
import type { World } from '../world';

const section = 'Users, workspaces, invitations';

const get = (path: string, headers: Record<string, string>) => ({ method: 'GET', path, headers });

const member = (user: unknown = anId) => ({ user, roles, _id: anId, created: aDate });

/** A user with a workspace, and a stranger who is invited to it. */
async function invited(world: World) {
  const owner = await world.newUser();
  const stranger = await world.newUser();
  const id = await world.newWorkspace(owner, 'Gamma', { invites: [{ email: stranger.username, name: 'Stranger' }] });
  return { id, owner: await world.as(owner), stranger: await world.as(stranger), strangerId: stranger._id };
}

export const accountRows: readonly Row[] = [
  row({
    id: 'U01',
    section,
    title: 'GET /api/users/:id, with the role',
    given: async (world) => ({ user: await world.newUser(), headers: await world.as() }),
    request: ({ user, headers }) => get(`/api/users/${user._id}`, headers),
    answer: jsonLike(
      200,
      expect.objectContaining({
        _id: anId,
        username: text,
        firstName: text,
        lastName: text,
        roles,
        internalMetadata: {},
      }),
    ),
    also: ({ answers, given: { user } }) => expect(JSON.parse(answers[0]?.text ?? '').username).toBe(user.username),
  }),
  row({
    id: 'U02',
    section,
    title: 'GET /api/users/:id, without the role',
    given: async (world) => {
      const user = await world.newUser();
      return { user, headers: await world.as(user) };
    },
    request: ({ user, headers }) => get(`/api/users/${user._id}`, headers),
    answer: refused(401, 'you are not privileged.'),
  }),
  row({
    id: 'U03',
    section,
    title: 'GET /api/users/:id of nobody',
    given: (world) => world.as(),
    request: (headers) => get(`/api/users/${'f'.repeat(24)}`, headers),
    answer: refused(404, 'user not exists'),
  }),
  row({
    id: 'U04',
    section,
    title: 'POST /api/me: the next session has what was changed, the current one what it had',
    given: async (world) => {
      const user = await world.newUser({ firstName: 'Before' });
      return { user, headers: await world.as(user) };
    },
    request: ({ headers }) => ({ method: 'POST', path: '/api/me', headers, json: { firstName: 'After' } }),
    answer: jsonLike(
      200,
      expect.objectContaining({ _id: anId, username: text, firstName: 'After', lastName: text, roles }),
    ),
    also: async ({ given: { user, headers }, world }) => {
      expect(JSON.parse((await world.send(get('/api/me', headers))).text)).toMatchObject({ firstName: 'Before' });
      expect((await world.signIn(user)).user).toMatchObject({ firstName: 'After' });
    },
  }),
  row({
    id: 'V01',
    section,
    title: 'POST /api/workspaces: as the database has it',
    needs: ['workspaces'],
    given: async (world) => world.as(await world.newUser()),
    request: (headers) => ({ method: 'POST', path: '/api/workspaces', headers, json: { name: 'Gamma', labels: [] } }),
    answer: jsonLike(200, {
      _id: anId,
      tenant: text,
      name: 'Gamma',
      labels: [],
      members: [member()],
      invites: [],
      created: aDate,
      __v: 0,
    }),
    also: ({ answers, world }) => world.removeWorkspace(JSON.parse(answers[0]?.text ?? '')._id),
  }),
  row({
    id: 'V02',
    section,
    title: 'GET /api/workspaces/:id as its admin: members and invitations',
    needs: ['workspaces'],
    given: invited,
    request: ({ id, owner }) => get(`/api/workspaces/${id}`, owner),
    answer: jsonLike(200, {
      _id: anId,
      name: 'Gamma',
      labels: [],
      members: [member()],
      invites: [{ email: text, name: 'Stranger', roles: texts, _id: anId, created: aDate }],
    }),
  }),
  row({
    id: 'V03',
    section,
    title: 'GET /api/workspaces/:id/members as its admin',
    needs: ['workspaces'],
    given: invited,
    request: ({ id, owner }) => get(`/api/workspaces/${id}/members`, owner),
    answer: jsonLike(200, [
      expect.objectContaining({ user: anId, email: text, firstName: text, lastName: text, roles }),
    ]),
  }),
  row({
    id: 'V04',
    section,
    title: 'GET /api/workspaces/:id of others',
    needs: ['workspaces'],
    given: invited,
    request: ({ id, stranger }) => get(`/api/workspaces/${id}`, stranger),
    answer: json(404, { message: 'workspace not found', from: 'get-workspace' }),
  }),
  row({
    id: 'V05',
    section,
    title: 'GET /api/invites: the workspaces one is invited to',
    needs: ['workspaces'],
    given: invited,
    request: ({ stranger }) => get('/api/invites', stranger),
    answer: jsonLike(200, [{ _id: anId, name: 'Gamma' }]),
  }),
  row({
    id: 'V06',
    section,
    title: 'POST /api/invites: who accepts is a member, and invited no more',
    needs: ['workspaces'],
    given: invited,
    request: ({ id, stranger }) => ({
      method: 'POST',
      path: '/api/invites',
      headers: stranger,
      json: { workspace: id, kind: 'accept' },
    }),
    answer: json(200, { success: true }),
    also: async ({ given: { id, stranger, strangerId }, world }) => {
      expect((await world.send(get('/api/invites', stranger))).text).toBe('[]');
      const { members } = JSON.parse((await world.send(get(`/api/workspaces/${id}`, stranger))).text);
      expect(members).toEqual([member(strangerId)]);
    },
  }),
  row({
    id: 'V07',
    section,
    title: 'POST /api/workspaces/:id/activate with a bearer',
    needs: ['workspaces'],
    given: invited,
    request: ({ id, owner }) => ({ method: 'POST', path: `/api/workspaces/${id}/activate`, headers: owner }),
    answer: refused(500, 'failed to activate workspace'),
  }),
];
