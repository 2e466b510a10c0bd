import { describe, expect, it } from '@jest/globals';
import ky from 'ky';
import { HttpResponse, http as mocked } from 'msw';
import { setupServer } from 'msw/node';
import nock from 'nock';
import createClient from 'openapi-fetch';
import { startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

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
  it('msw sees the credential, and its answers arrive', async () => {
    const seen: (string | null)[] = [];
    const server = setupServer(
      mocked.get('http://127.0.0.1:9/api/me', ({ request }) => {
        seen.push(request.headers.get('x-api-key'));
        return HttpResponse.json({ _id: '1', username: 'ada' });
      }),
    );
    server.listen({ onUnhandledRequest: 'error' });
    whenDone(() => server.close());
    const auth = openAuth({ config: { url: 'http://127.0.0.1:9', apiToken: 'ql_test' } });
    expect((await auth.http.get('/api/me')).data).toMatchObject({ username: 'ada' });
    expect(await (await auth.fetch('/api/me')).json()).toMatchObject({ username: 'ada' });
    expect((await auth.signIn()).user.username).toBe('ada');
    expect([...new Set(seen)]).toEqual(['ql_test']);
  });

  it('nock sees the credential, and its answers arrive', async () => {
    whenDone(() => {
      nock.cleanAll();
      nock.restore();
    });
    if (!nock.isActive()) nock.activate();
    nock('http://127.0.0.1:9', { reqheaders: { 'x-api-key': 'ql_test' } })
      .get('/api/me')
      .times(3)
      .reply(200, { _id: '1', username: 'ada' });
    const auth = openAuth({ config: { url: 'http://127.0.0.1:9', apiToken: 'ql_test' } });
    expect((await auth.signIn()).user.username).toBe('ada');
    expect((await auth.http.get('/api/me')).data).toMatchObject({ username: 'ada' });
    expect(await (await auth.fetch('/api/me')).json()).toMatchObject({ username: 'ada' });
  });
});
