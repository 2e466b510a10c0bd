import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { aDate, aHash, aNumber, anApiToken, anId, json, jsonLike, refused, text } from '../shapes';
import type { WireAnswer } from '../wire';
import type { World } from '../world';

const section = '/api/me/api-tokens';
const needs = ['api-tokens'] as const;

const path = '/api/me/api-tokens';
const farAway = () => new Date(Date.now() + 24 * 60 * 60 * 1000).toISOString();

const plain = async (world: World) => world.as(await world.newUser());
const keyOfPlain = async (world: World) => ({ 'x-api-key': (await world.newApiToken(await world.newUser())).key });

const byKey = refused(403, 'API token management is not allowed via token authentication');
const dateRequired = refused(400, 'nickname and expiresAt are required');
const futureRequired = refused(400, 'expiresAt must be a valid future date');

const listed = (nickname: string, workspace: unknown = null) => ({
  _id: anId,
  nickname,
  tokenPrefix: expect.stringMatching(/^ql_[0-9a-f]{5}$/),
  expiresAt: aDate,
  lastUsedAt: null,
  workspace,
  created: aDate,
  usageCount: 0,
});

/** Deletes the token a row itself has created. */
const discard =
  <Given>(headersOf: (given: Given) => Record<string, string>) =>
  async ({ answers, given, world }: { answers: readonly WireAnswer[]; given: Given; world: World }) => {
    const { apiToken } = JSON.parse(answers[0]?.text ?? '') as { apiToken: { _id: string } };
    await world.send({ method: 'DELETE', path: `${path}/${apiToken._id}`, headers: headersOf(given) });
  };

/** A user with one token, and the headers of their bearer. */
async function owner(world: World) {
  const account = await world.newUser();
  const { _id } = await world.newApiToken(account);
  return { _id, headers: await world.as(account) };
}

export const apiTokenRows: readonly Row[] = [
  row({
    id: 'A01',
    section,
    title: 'listing with x-api-key',
    needs,
    given: keyOfPlain,
    request: (headers) => ({ method: 'GET', path, headers }),
    answer: byKey,
  }),
  row({
    id: 'A02',
    section,
    title: 'creating with x-api-key',
    needs,
    given: keyOfPlain,
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: 'x', expiresAt: farAway() } }),
    answer: byKey,
  }),
  row({
    id: 'A03',
    section,
    title: 'deleting with x-api-key',
    needs,
    given: keyOfPlain,
    request: (headers) => ({ method: 'DELETE', path: `${path}/${'f'.repeat(24)}`, headers }),
    answer: byKey,
  }),
  row({
    id: 'A04',
    section,
    title: 'the role is not allowed to',
    needs: ['control'],
    given: async (world) => world.as(await world.newUser({ roles: ['guest'] })),
    request: (headers) => ({ method: 'GET', path, headers }),
    answer: refused(403, 'You do not have permission to manage API tokens'),
  }),
  row({
    id: 'A05',
    section,
    title: 'creating: the token is shown this once',
    needs,
    given: plain,
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: 'mine', expiresAt: farAway() } }),
    answer: jsonLike(201, {
      token: anApiToken,
      apiToken: {
        _id: anId,
        tenant: text,
        user: anId,
        workspace: null,
        nickname: 'mine',
        tokenPrefix: expect.stringMatching(/^ql_[0-9a-f]{5}$/),
        expiresAt: aDate,
        lastUsedAt: null,
        usageCount: aNumber,
        created: aDate,
        token: aHash,
        __v: 0,
      },
    }),
    also: discard((headers) => headers),
  }),
  row({
    id: 'A06',
    section,
    title: 'creating with a cookie session',
    needs,
    given: async (world) => world.cookie(await world.newUser()),
    request: (cookie) => ({
      method: 'POST',
      path,
      headers: { cookie },
      json: { nickname: 'mine', expiresAt: farAway() },
    }),
    answer: { status: 201, type: 'application/json' },
    also: discard((cookie) => ({ cookie })),
  }),
  row({
    id: 'A07',
    section,
    title: 'creating: nickname missing',
    needs,
    given: plain,
    request: (headers) => ({ method: 'POST', path, headers, json: { expiresAt: farAway() } }),
    answer: dateRequired,
  }),
  row({
    id: 'A08',
    section,
    title: 'creating: expiresAt missing',
    needs,
    given: plain,
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: 'mine' } }),
    answer: dateRequired,
  }),
  row({
    id: 'A09',
    section,
    title: 'creating: past date',
    needs,
    given: plain,
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: 'mine', expiresAt: '2001-01-01' } }),
    answer: futureRequired,
  }),
  row({
    id: 'A10',
    section,
    title: 'creating: unreadable date',
    needs,
    given: plain,
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: 'mine', expiresAt: 'tomorrow' } }),
    answer: futureRequired,
  }),
  row({
    id: 'A11',
    section,
    title: 'creating: the 11th',
    needs,
    given: async (world) => {
      const account = await world.newUser();
      for (let count = 0; count < 10; count += 1) await world.newApiToken(account);
      return world.as(account);
    },
    request: (headers) => ({ method: 'POST', path, headers, json: { nickname: '11th', expiresAt: farAway() } }),
    answer: refused(400, 'Maximum 10 active tokens allowed per user'),
  }),
  row({
    id: 'A12',
    section,
    title: 'listing: newest first',
    needs,
    given: async (world) => {
      const account = await world.newUser();
      await world.newApiToken(account, { nickname: 'older' });
      await world.newApiToken(account, { nickname: 'newer' });
      return world.as(account);
    },
    request: (headers) => ({ method: 'GET', path, headers }),
    answer: jsonLike(200, [listed('newer'), listed('older')]),
  }),
  row({
    id: 'A13',
    section,
    title: 'listing: a token with a workspace',
    needs: ['api-tokens', 'workspaces'],
    given: async (world) => {
      const { member, second } = await world.newMember();
      await world.newApiToken(member, { nickname: 'scoped', workspace: second });
      return world.as(member);
    },
    request: (headers) => ({ method: 'GET', path, headers }),
    answer: jsonLike(200, [listed('scoped', { _id: anId, name: 'Beta' })]),
  }),
  row({
    id: 'A14',
    section,
    title: 'listing: use is counted, twice a call, as the gateway asks first',
    needs: ['api-tokens', 'gateway'],
    given: async (world) => {
      const account = await world.newUser();
      const { key } = await world.newApiToken(account, { nickname: 'used' });
      await world.send({ method: 'GET', path: '/api/me', headers: { 'x-api-key': key } });
      return world.as(account);
    },
    request: (headers) => ({ method: 'GET', path, headers }),
    answer: jsonLike(200, [{ ...listed('used'), lastUsedAt: aDate, usageCount: 2 }]),
  }),
  row({
    id: 'A15',
    section,
    title: 'deleting',
    needs,
    given: owner,
    request: ({ _id, headers }) => ({ method: 'DELETE', path: `${path}/${_id}`, headers }),
    answer: json(200, { message: 'Token revoked' }),
  }),
  row({
    id: 'A16',
    section,
    title: 'deleting again',
    needs,
    given: async (world) => {
      const { _id, headers } = await owner(world);
      await world.send({ method: 'DELETE', path: `${path}/${_id}`, headers });
      return { _id, headers };
    },
    request: ({ _id, headers }) => ({ method: 'DELETE', path: `${path}/${_id}`, headers }),
    answer: refused(404, 'Token not found'),
  }),
  row({
    id: 'A17',
    section,
    title: "deleting another user's",
    needs,
    given: async (world) => ({ _id: (await owner(world))._id, headers: await plain(world) }),
    request: ({ _id, headers }) => ({ method: 'DELETE', path: `${path}/${_id}`, headers }),
    answer: refused(404, 'Token not found'),
  }),
  row({
    id: 'A18',
    section,
    title: 'deleting by a malformed id',
    needs,
    given: plain,
    request: (headers) => ({ method: 'DELETE', path: `${path}/malformed`, headers }),
    answer: refused(500, 'Failed to delete API token'),
  }),
  row({
    id: 'A19',
    section,
    title: 'creating: malformed workspace',
    needs,
    given: plain,
    request: (headers) => ({
      method: 'POST',
      path,
      headers,
      json: { nickname: 'mine', expiresAt: farAway(), workspace: 'malformed' },
    }),
    answer: refused(500, 'Failed to create API token'),
  }),
  row({
    id: 'A20',
    section,
    title: 'creating: expiresAt as a number',
    needs,
    given: plain,
    request: (headers) => ({
      method: 'POST',
      path,
      headers,
      json: { nickname: 'mine', expiresAt: Date.parse(farAway()) },
    }),
    answer: { status: 201, type: 'application/json' },
    also: discard((headers) => headers),
  }),
];
