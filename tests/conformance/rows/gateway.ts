import { expect } from '@jest/globals';
import { type Row, row } from '../row';
import { empty, json, jsonLike, text } from '../shapes';
import { bearer } from '../world';

const section = 'Other services, behind the gateway';

const blueprint = process.env['QELOS_CONFORMANCE_BLUEPRINT'] ?? 'conformance';
const entities = `/api/blueprints/${blueprint}/entities`;
const list = (headers: Record<string, string> = {}) => ({ method: 'GET', path: entities, headers });

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
    title: 'no credential: anonymous, 401 and an empty body',
    request: () => list(),
    answer: empty(401),
  }),
  row({
    id: 'G02',
    section,
    title: 'a bad bearer is passed on as anonymous',
    request: () => list(bearer('garbage')),
    answer: empty(401),
  }),
  row({
    id: 'G03',
    section,
    title: 'a bad key is passed on as anonymous',
    request: () => list({ 'x-api-key': 'garbage' }),
    answer: empty(401),
  }),
  row({
    id: 'G04',
    section,
    title: 'a bad key beside a good bearer is passed on as anonymous',
    given: (world) => world.as(),
    request: (headers) => list({ ...headers, 'x-api-key': 'garbage' }),
    answer: empty(401),
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
    answer: empty(401),
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
];
