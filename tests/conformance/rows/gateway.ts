import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { empty, json, jsonLike, page, refused, text } from '../shapes';
import { bearer } from '../world';

const section = 'Other services, behind the gateway';

const blueprint = process.env['QELOS_CONFORMANCE_BLUEPRINT'] ?? 'conformance';
const entities = `/api/blueprints/${blueprint}/entities`;
const get = (path: string, headers: Record<string, string> = {}) => ({ method: 'GET', path, headers });
const list = (headers: Record<string, string> = {}) => get(entities, headers);

const anonymous = refused(401, 'you must be logged in to access');
const noSuchPath = refused(401, 'plugin not exist');

const entity = expect.objectContaining({
  identifier: text,
  user: text,
  blueprint,
  metadata: { title: 'First' },
  created: text,
  updated: text,
});

export const gatewayRows: readonly Row[] = [
  row({
    id: 'G01',
    section,
    title: 'no credential: anonymous',
    needs: ['blueprint'],
    request: () => list(),
    answer: anonymous,
  }),
  row({
    id: 'G02',
    section,
    title: 'a bad bearer is passed on as anonymous',
    needs: ['blueprint'],
    request: () => list(bearer('garbage')),
    answer: anonymous,
  }),
  row({
    id: 'G03',
    section,
    title: 'a bad key is passed on as anonymous',
    needs: ['blueprint'],
    request: () => list({ 'x-api-key': 'garbage' }),
    answer: anonymous,
  }),
  row({
    id: 'G04',
    section,
    title: 'a bad key beside a good bearer is passed on as anonymous',
    needs: ['blueprint'],
    given: (world) => world.as(),
    request: (headers) => list({ ...headers, 'x-api-key': 'garbage' }),
    answer: anonymous,
  }),
  row({
    id: 'G05',
    section,
    title: 'a good bearer works',
    needs: ['blueprint'],
    given: (world) => world.as(),
    request: list,
    answer: jsonLike(200, expect.any(Array)),
  }),
  row({
    id: 'G06',
    section,
    title: 'a good cookie works',
    needs: ['blueprint'],
    given: (world) => world.cookie(),
    request: (cookie) => list({ cookie }),
    answer: jsonLike(200, expect.any(Array)),
  }),
  row({
    id: 'G07',
    section,
    title: 'a good key works',
    needs: ['blueprint', 'api-tokens'],
    given: (world) => world.newApiToken(),
    request: ({ key }) => list({ 'x-api-key': key }),
    answer: jsonLike(200, expect.any(Array)),
  }),
  row({
    id: 'G08',
    section,
    title: 'an entity is created, read, updated and deleted',
    needs: ['control'],
    given: (world) => world.as(),
    request: (headers) => ({ method: 'POST', path: entities, headers, json: { metadata: { title: 'First' } } }),
    answer: jsonLike(200, entity),
    also: async ({ answers, given: headers, world }) => {
      const { identifier } = JSON.parse(answers[0]?.text ?? '') as { identifier: string };
      const path = `${entities}/${identifier}`;
      const read = await world.send({ method: 'GET', path, headers });
      expect(JSON.parse(read.text)).toEqual(entity);
      const updated = await world.send({ method: 'PUT', path, headers, json: { metadata: { done: true } } });
      expect(JSON.parse(updated.text)).toMatchObject({ identifier, metadata: { title: 'First', done: true } });
      expect((await world.send({ method: 'DELETE', path, headers })).status).toBe(200);
      expect((await world.send({ method: 'GET', path, headers })).status).toBe(404);
    },
  }),
  row({
    id: 'G09',
    section,
    title: 'the auth service fails to answer the gateway: a good credential is passed on as anonymous',
    needs: ['control'],
    given: async (world) => {
      const headers = await world.as();
      world.controlled().fail('/api/me', { status: 503 }, 1);
      return headers;
    },
    request: list,
    answer: anonymous,
  }),
  row({
    id: 'G10',
    section,
    title: 'the service is down: 504 as text (set as a fault)',
    needs: ['control'],
    given: async (world) => {
      const headers = await world.as();
      world.controlled().fail(entities, { status: 504, body: 'Error occurred while trying to proxy' }, 1);
      return headers;
    },
    request: list,
    answer: { status: 504, type: 'text/plain' },
  }),
  row({
    id: 'G11',
    section,
    title: 'a host of no tenant',
    needs: ['gateway'],
    request: () => ({ method: 'GET', path: '/api/me', headers: { host: 'nowhere.example' } }),
    answer: json(400, { message: 'no website for host: nowhere.example' }),
  }),
  row({
    id: 'G12',
    section,
    title: 'a path that no service and no plugin has: 401, not 404, though the credential is good',
    needs: ['gateway'],
    given: (world) => world.as(),
    request: (headers) => get('/api/nothing-has-this-path', headers),
    answer: noSuchPath,
  }),
  row({
    id: 'G13',
    section,
    title: 'such a path without a credential: the same',
    needs: ['gateway'],
    request: () => get('/api/nothing-has-this-path'),
    answer: noSuchPath,
  }),
  row({
    id: 'G14',
    section,
    title: 'plugins: anonymous, with an empty body',
    needs: ['gateway'],
    request: () => get('/api/integrations'),
    answer: empty(401),
  }),
  row({
    id: 'G15',
    section,
    title: 'plugins: role missing, with an empty body too',
    needs: ['gateway'],
    given: async (world) => world.as(await world.newUser()),
    request: (headers) => get('/api/integrations', headers),
    answer: empty(401),
  }),
  row({
    id: 'G16',
    section,
    title: 'content: anonymous',
    needs: ['gateway'],
    request: () => get('/api/blocks'),
    answer: refused(401, 'you are not authorized'),
  }),
  row({
    id: 'G17',
    section,
    title: 'payments: anonymous (by source)',
    needs: ['control'],
    request: () => get('/api/plans'),
    answer: refused(401, 'authentication required'),
  }),
  row({
    id: 'G18',
    section,
    title: 'entities: role missing',
    needs: ['control'],
    given: async (world) => {
      const json = { identifier: 'guarded', permissions: [{ operation: 'read', roleBased: ['editor'] }] };
      await world.send({ method: 'POST', path: '/api/blueprints', headers: await world.as(), json });
      return world.as(await world.newUser());
    },
    request: (headers) => get('/api/blueprints/guarded/entities', headers),
    answer: refused(403, 'not permitted'),
  }),
  row({
    id: 'G19',
    section,
    title: 'GET /api/roles, though the SDK calls it',
    needs: ['gateway'],
    given: (world) => world.as(),
    request: (headers) => get('/api/roles', headers),
    answer: page(404),
  }),
];
