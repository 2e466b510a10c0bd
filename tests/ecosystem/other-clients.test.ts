import { describe, expect, it } from '@jest/globals';
import ky from 'ky';
import createClient from 'openapi-fetch';
import { startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { openAuth } from '../support/ways';

async function start() {
  const backend = await startBackend();
  return { backend, auth: openAuth({ config: { url: backend.url, apiToken: backend.apiToken } }) };
}

describe('S17: clients over auth.fetch', () => {
  it('ky sends with the credential, and tells a refusal by status', async () => {
    const { backend, auth } = await start();
    backend.on('/missing', (_request, response) => response.writeHead(404).end());
    const api = ky.create({ fetch: auth.fetch, prefixUrl: backend.url, retry: 0 });
    expect(await api.get('books').json()).toMatchObject({ ok: true });
    expect(await api.post('books', { json: { title: 'Dune' } }).json()).toMatchObject({ ok: true });
    expect(backend.to('/books').map(({ body }) => body.toString())).toEqual(['', '{"title":"Dune"}']);
    await expect(api.get('missing')).rejects.toMatchObject({ response: { status: 404 } });
  });

  it('openapi-fetch sends with the credential', async () => {
    const { backend, auth } = await start();
    interface Paths {
      '/books': {
        get: { responses: { 200: { content: { 'application/json': { ok: boolean } } } } };
        post: {
          requestBody: { content: { 'application/json': { title: string } } };
          responses: { 200: { content: { 'application/json': { ok: boolean } } } };
        };
      };
    }
    const client = createClient<Paths>({ baseUrl: backend.url, fetch: auth.fetch });
    expect((await client.GET('/books')).data).toMatchObject({ ok: true });
    expect((await client.POST('/books', { body: { title: 'Dune' } })).data).toMatchObject({ ok: true });
    expect(backend.to('/books').map(({ body }) => body.toString())).toEqual(['', '{"title":"Dune"}']);
  });
});

describe('S17: mocks below axios', () => {
  // In processes of their own: both patch Node's http for good, and the test files of a worker share it.
  it.each(['msw', 'nock'])(
    '%s sees the credential, and its answers arrive',
    async (mock) => {
      const { code, stderr, stdout } = await runChild('mocks.ts', mock);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toEqual(['ada', 'ada', 'ada', 'ql_test']);
    },
    30_000,
  );
});
