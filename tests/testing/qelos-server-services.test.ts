import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createQelosAuth, isAuthError, type QelosAuth } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { RequestLog } from '../../src/testing/request-log';

/** What a plugin's own tests do with the server: the SDK's calls, routes of their own, and what was received. */

let server: QelosServer;
let admin: QelosAuth;
let user: QelosAuth;

beforeEach(async () => {
  server = await startQelosServer();
  admin = authOf('admin');
  user = authOf('user');
});
afterEach(async () => {
  await admin.close();
  await user.close();
  await server.close();
});

const authOf = (username: string) =>
  createQelosAuth({ config: { url: server.url, apiToken: server.issueApiToken({ username }) }, env: {} });

const statusOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 200,
    (error: { response?: { status: number } }) => (isAuthError(error) ? error.code : error.response?.status),
  );

describe('the SDK', () => {
  test('blueprints: created, changed and removed by an admin, read by all', async () => {
    const { manageBlueprints } = admin.sdk;
    const book = { identifier: 'book', name: 'Book', properties: {} } as never;
    expect(await manageBlueprints.create(book)).toMatchObject({ identifier: 'book', name: 'Book' });
    expect(await manageBlueprints.update('book', { name: 'Books' })).toMatchObject({ name: 'Books' });
    expect(await user.sdk.blueprints.getBlueprint('book')).toMatchObject({ name: 'Books' });
    expect(await user.sdk.blueprints.getList()).toHaveLength(1);
    expect(await statusOf(user.sdk.manageBlueprints.create(book))).toBe(401);
    expect(await statusOf(manageBlueprints.create(book))).toBe(400);
    await user.sdk.blueprints.entitiesOf('book').create({ metadata: {} });
    await manageBlueprints.remove('book');
    expect(await user.sdk.blueprints.getList()).toHaveLength(1);
    const [entity] = await user.sdk.blueprints.entitiesOf('book').getList();
    await user.sdk.blueprints.entitiesOf('book').remove(entity?.identifier ?? '');
    await manageBlueprints.remove('book');
    await manageBlueprints.remove('book');
    expect(await user.sdk.blueprints.getList()).toEqual([]);
    expect(await user.sdk.blueprints.getBlueprint('book')).toBeNull();
    expect(await statusOf(manageBlueprints.update('book', {}))).toBe(404);
  });

  test('entities: by fields and metadata, a page at a time', async () => {
    const books = user.sdk.blueprints.entitiesOf('book');
    for (const title of ['Dune', 'Emma', 'Ulysses']) await books.create({ metadata: { title } });
    const titles = async (query?: object) => (await books.getList(query)).map(({ metadata }) => metadata.title);
    expect(await titles()).toEqual(['Dune', 'Emma', 'Ulysses']);
    expect(await titles({ title: 'Emma' })).toEqual(['Emma']);
    expect(await titles({ 'metadata.title': 'Dune' })).toEqual(['Dune']);
    expect(await titles({ tag: 'of the caller' })).toHaveLength(3);
    expect(await titles({ $limit: 2, $page: 2 })).toEqual(['Ulysses']);
    const [dune] = await books.getList({ title: 'Dune' });
    await books.update(dune?.identifier ?? '', { metadata: { year: 1965 } });
    expect(await statusOf(books.update('none', {}))).toBe(404);
    expect((await user.http.delete('/api/blueprints/book/entities/none', { validateStatus: null })).status).toBe(404);
    expect(await books.getEntity(dune?.identifier ?? '')).toMatchObject({ metadata: { title: 'Dune', year: 1965 } });
  });

  test('entities: a blueprint with permissions keeps to their roles', async () => {
    const permissions = [
      { operation: 'read', roleBased: ['*'] },
      { operation: 'create', roleBased: ['editor'] },
    ];
    await admin.sdk.manageBlueprints.create({ identifier: 'guarded', permissions } as never);
    const guarded = user.sdk.blueprints.entitiesOf('guarded');
    expect(await guarded.getList()).toEqual([]);
    expect(await statusOf(guarded.create({ metadata: {} }))).toBe(403);
    expect(await statusOf(admin.sdk.blueprints.entitiesOf('guarded').create({ metadata: {} }))).toBe(200);
  });

  test('blocks', async () => {
    const { blocks } = admin.sdk;
    const created = await blocks.create({ name: 'Hero', content: '<h1>' });
    const id = created['_id'] as string;
    expect(await blocks.getList()).toEqual([created]);
    expect(await blocks.update(id, { content: '<h2>' })).toMatchObject({ _id: id, name: 'Hero', content: '<h2>' });
    expect(await user.sdk.blocks.getBlock(id)).toMatchObject({ content: '<h2>' });
    expect(await statusOf(user.sdk.blocks.getList())).toBe(401);
    await blocks.remove(id);
    expect([await statusOf(blocks.getBlock(id)), await statusOf(blocks.update(id, {}))]).toEqual([404, 404]);
    expect(await statusOf(blocks.create({ name: '', content: '' }))).toBe(500);
  });

  test('integrations, and the webhook that calls one', async () => {
    const { integrations, lambdas } = admin.sdk;
    const trigger = { source: 's', operation: 'o', details: {} };
    const { _id } = await integrations.create({ trigger, target: trigger });
    expect(await integrations.getList()).toMatchObject([{ _id, active: true }]);
    expect(await integrations.update(_id, { active: false })).toMatchObject({ _id, active: false, trigger });
    expect(await integrations.getIntegration(_id)).toMatchObject({ active: false });
    expect(await lambdas.post(_id, { body: { a: 1 } as never })).toEqual({ a: 1 });
    expect(await statusOf(integrations.create({ trigger, target: null }))).toBe(400);
    await integrations.remove(_id);
    expect(await statusOf(integrations.getIntegration(_id))).toBe(404);
    expect(await statusOf(lambdas.execute(_id))).toBe(404);
  });

  test('lambdas', async () => {
    const { manageLambdas } = admin.sdk;
    await manageLambdas.create('source', { name: 'f', script: '1' });
    expect(await manageLambdas.update('source', 'f', { script: '2' })).toEqual({ name: 'f', script: '2' });
    expect(await manageLambdas.getList('source')).toEqual([{ name: 'f', script: '2' }]);
    expect(await manageLambdas.getList('other')).toEqual([]);
    await manageLambdas.remove('source', 'f');
    expect(await statusOf(manageLambdas.getLambda('source', 'f'))).toBe(404);
    expect(await statusOf(manageLambdas.update('source', 'f', {}))).toBe(404);
    expect(await statusOf(manageLambdas.create('source', {}))).toBe(400);
  });

  test('workspaces and their members', async () => {
    const { workspaces } = user.sdk;
    const { _id } = await workspaces.create({ name: 'Acme' });
    expect(await workspaces.update(_id, { name: 'Acme 2' })).toMatchObject({ name: 'Acme 2' });
    expect(await workspaces.getList()).toMatchObject([{ name: 'Acme 2', isPrivilegedUser: true }]);
    expect(await workspaces.getMembers(_id)).toMatchObject([{ user: server.users[1]?._id, roles: ['admin', 'user'] }]);
    expect(await admin.sdk.adminWorkspaces.getList()).toMatchObject([{ _id, name: 'Acme 2' }]);
    expect(await admin.sdk.adminWorkspaces.getList({ _id: ['f'.repeat(24)] })).toEqual([]);
    await admin.sdk.adminWorkspaces.setEncryptedData(_id, 'id', { secret: 1 });
    expect(await admin.sdk.adminWorkspaces.getEncryptedData(_id, 'id')).toEqual({ secret: 1 });
    expect(await admin.sdk.adminWorkspaces.getEncryptedData(_id)).toBeNull();
    expect(await statusOf(workspaces.getWorkspace('malformed'))).toBe(500);
    await workspaces.remove(_id);
    expect(await workspaces.getList()).toEqual([]);
  });

  test('who is no admin of a workspace may read it, and no more', async () => {
    const { _id } = await admin.sdk.workspaces.create({ name: 'Acme', invites: [{ email: 'user@null' }] });
    expect(await user.sdk.invites.getList()).toEqual([{ _id, name: 'Acme' }]);
    await user.sdk.invites.acceptWorkspace(_id);
    expect(await user.sdk.workspaces.getWorkspace(_id)).not.toHaveProperty('invites');
    expect(await statusOf(user.sdk.workspaces.update(_id, { name: 'Mine' }))).toBe(403);
    expect(await statusOf(user.sdk.workspaces.getMembers(_id))).toBe(403);
    expect(await statusOf(admin.sdk.workspaces.update(_id, { members: [] }))).toBe(400);
    expect(await statusOf(admin.sdk.workspaces.update(_id, { members: {} as never }))).toBe(400);
    const members = [{ user: server.users[0]?._id ?? '', roles: ['admin'] }];
    expect(await admin.sdk.workspaces.update(_id, { labels: ['a'], members })).toMatchObject({ labels: ['a'] });
    expect(await statusOf(user.sdk.workspaces.getWorkspace(_id))).toBe(404);
  });

  test('users', async () => {
    const { users } = admin.sdk;
    const ada = { username: 'ada', password: 'a password', firstName: 'Ada', lastName: 'Lovelace', roles: ['editor'] };
    const { _id } = await users.create({ ...ada, internalMetadata: { since: 1843 } } as never);
    expect(await users.getUser(_id)).toMatchObject({ firstName: 'Ada', internalMetadata: { since: 1843 } });
    await users.update(_id, { username: 'ada2', password: 'another', internalMetadata: { until: 1852 } });
    expect(await users.getUser(_id)).toMatchObject({
      username: 'ada2',
      internalMetadata: { since: 1843, until: 1852 },
    });
    expect(await users.getList({ username: 'ADA' })).toHaveLength(1);
    expect(await users.getList({ username: 'ada', exact: true })).toEqual([]);
    expect(await statusOf(users.update('nobody', {}))).toBe(500);
    expect(await statusOf(users.create({ ...ada, username: 'ada2' } as never))).toBe(400);
    await users.setEncryptedData(_id, '', { key: 'value' });
    expect(await users.getEncryptedData(_id)).toEqual({ key: 'value' });
    await expect(users.setEncryptedData('nobody', '', {})).rejects.toThrow();
  });
});

test('a sign-up is a sign-in too, once for each name', async () => {
  const json = { username: 'ada@example.com', password: 'a password', firstName: 'Ada', lastName: 'Lovelace' };
  const signUp = async (more: object) => {
    const body = JSON.stringify({ ...json, authType: 'oauth', ...more });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    return (await fetch(`${server.url}/api/signup`, init)).json();
  };
  expect(await signUp({ password: 'short', firstName: '' })).toEqual({
    errors: { firstName: { code: 'INVALID_NAME' }, password: { code: 'INVALID_PASSWORD' } },
  });
  expect(await signUp({ username: undefined })).toEqual({ errors: { username: { code: 'INVALID_USERNAME' } } });
  expect(await signUp({})).toMatchObject({ payload: { user: { username: 'ada@example.com', name: 'Ada Lovelace' } } });
  expect(await signUp({})).toEqual({ errors: { email: 'DUPLICATED_EMAIL' } });
});

test('an admin acts as a member of a workspace; in one that the user is no member of, not at all', async () => {
  const { _id } = await user.sdk.workspaces.create({ name: 'Acme' });
  const acting = (workspace: string) =>
    admin.http.get('/api/me', {
      headers: { 'x-impersonate-user': server.users[1]?._id, 'x-impersonate-workspace': workspace },
    });
  expect((await acting(_id)).data).toMatchObject({ username: 'user', workspace: { _id, name: 'Acme' } });
  expect(await statusOf(acting('f'.repeat(24)))).toBe(500);
  expect(
    await statusOf(admin.http.get('/api/integrations', { headers: { 'x-impersonate-user': server.users[1]?._id } })),
  ).toBe(401);
});

test('an invitation is declined, and answers to none are refused', async () => {
  const { _id } = await admin.sdk.workspaces.create({ name: 'Acme', invites: [{ email: 'user@null' }] });
  const respond = (body: object) => statusOf(user.http.post('/api/invites', body));
  expect([await respond({}), await respond({ workspace: _id, kind: 'maybe' })]).toEqual([400, 400]);
  await user.sdk.invites.declineWorkspace(_id);
  expect(await user.sdk.invites.getList()).toEqual([]);
  expect(await respond({ workspace: _id, kind: 'accept' })).toBe(404);
  expect(await user.sdk.workspaces.getList()).toEqual([]);
});

describe('route', () => {
  test('is reached by whoever has a good credential, and is told who that is', async () => {
    server.route('get', '/api/shop/orders/:id', ({ params, query, user: { username } }) => ({
      status: 202,
      headers: { 'x-shop': 'open' },
      body: { id: params['id'], query, username },
    }));
    const answer = await user.http.get('/api/shop/orders/a%20b?page=2');
    expect([answer.status, answer.headers['x-shop']]).toEqual([202, 'open']);
    expect(answer.data).toEqual({ id: 'a b', query: { page: '2' }, username: 'user' });
  });

  test.each([
    ['/api/shop', ''],
    ['/api/blocks/mine', '{"message":"you are not authorized"}'],
    ['/api/me/mine', '{"message":"you are not authorized. must be logged in."}'],
  ])(
    '%s: without a credential the answer is that of its service, and the handler is not called',
    async (path, text) => {
      const handler = jest.fn(() => ({}));
      server.route('POST', path, handler);
      const answer = await fetch(server.url + path, { method: 'POST', headers: { 'x-api-key': 'ql_none' } });
      expect([answer.status, await answer.text()]).toEqual([401, text]);
      expect(handler).not.toHaveBeenCalled();
    },
  );

  test('takes over one that is there, and the latest goes first', async () => {
    server.route('GET', '/api/blueprints', () => ({ body: ['mine'] }));
    expect(await user.sdk.blueprints.getList()).toEqual(['mine']);
    server.route('GET', '/api/blueprints', async () => ({ body: ['later'] }));
    expect(await user.sdk.blueprints.getList()).toEqual(['later']);
  });

  test('gets the body, whatever it is', async () => {
    const bodies: unknown[] = [];
    server.route('PUT', '/api/shop', ({ body }) => {
      bodies.push(body);
      return {};
    });
    const json = { a: [1], password: 'a password' };
    for (const data of [json, 'text', Buffer.from('bytes')]) {
      const type = typeof data === 'string' ? 'text/plain' : data === json ? 'application/json' : 'image/png';
      expect((await user.http.put('/api/shop', data, { headers: { 'content-type': type } })).data).toBe('');
    }
    expect(bodies).toEqual([{ a: [1], password: '[hidden]' }, 'text', Buffer.from('bytes')]);
  });

  test('whose part of the path cannot be decoded gets it as it is', async () => {
    server.route('GET', '/api/shop/:id', ({ params }) => ({ body: params }));
    expect((await user.http.get('/api/shop/%ZZ')).data).toEqual({ id: '%ZZ' });
  });

  test('meets faults as others do', async () => {
    server.route('GET', '/api/shop', () => ({}));
    server.fail('/api/shop', { status: 503 }, 1);
    expect([await statusOf(user.http.get('/api/shop')), await statusOf(user.http.get('/api/shop'))]).toEqual([
      503, 200,
    ]);
  });

  test('whose handler throws is answered with 500, and the author is told why', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    server.route('GET', '/api/shop', () => {
      throw new Error('out of stock');
    });
    expect(await statusOf(user.http.get('/api/shop'))).toBe(500);
    const text = 'the handler of GET /api/shop threw Error: out of stock';
    expect(warned.mock.calls).toEqual([[text, 'QelosServerWarning']]);
  });
});

describe('a path that is unknown', () => {
  test('is answered as by Qelos, and the author is told once for each', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const headers = { 'x-api-key': server.issueApiToken() };
    const said = async (path: string) => (await fetch(server.url + path, { headers })).text();
    expect(await said('/api/shop')).toBe('{"message":"plugin not exist"}');
    expect(await said('/api/shop?again=yes')).toBe('{"message":"plugin not exist"}');
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned.mock.calls[0]?.[0]).toBe(
      'the embedded Qelos has no route for GET /api/shop, and answered 401 as Qelos does for a path it does not know. ' +
        "Correct the path, or add the route: server.route('GET', '/api/shop', () => ({ body: … }))",
    );
    expect(await said('/api/ai/threads')).toContain('Cannot GET /api/ai/threads');
    expect(await said('/elsewhere')).toContain('Cannot GET /elsewhere');
    expect(warned).toHaveBeenCalledTimes(3);
  });
});

describe('requests.list', () => {
  test('has method, path, query, headers, body and status, in the order received', async () => {
    await user.http.post(
      '/api/blueprints/book/entities?a=1',
      { metadata: { title: 'Dune' } },
      { headers: { 'x-mine': '1' } },
    );
    await statusOf(user.http.get('/api/users'));
    expect(server.requests.list()).toMatchObject([
      { method: 'GET', path: '/api/me', query: {}, body: undefined, status: 200 },
      {
        method: 'POST',
        path: '/api/blueprints/book/entities',
        query: { a: '1' },
        headers: { 'x-mine': '1', 'x-api-key': '[hidden]' },
        body: { metadata: { title: 'Dune' } },
        status: 200,
      },
      { method: 'GET', path: '/api/users', body: undefined, status: 401 },
    ]);
    expect(server.requests.list({ method: 'get' })).toHaveLength(2);
    expect(server.requests.list({ status: 401 })).toHaveLength(1);
    expect(server.requests.list({ path: '/api/none' })).toEqual([]);
    server.requests.reset();
    expect(server.requests.list()).toEqual([]);
  });

  test('holds no secret', async () => {
    const { username, password } = server.users[0] ?? { username: '', password: '' };
    const byPassword = createQelosAuth({ config: { url: server.url, username, password }, env: {} });
    await byPassword.http.get('/api/me', { headers: { 'x-vault-token': 'of the vault', 'idempotency-key': 'a' } });
    const text = JSON.stringify(server.requests.list());
    expect(text).not.toContain(password);
    expect(text).not.toMatch(/eyJ|ql_|of the vault/);
    expect(text).toContain('"idempotency-key":"a"');
    await byPassword.close();
  });

  test('has the body of a request that meets a fault', async () => {
    server.fail('/api/blueprints/book/entities', { status: 503 }, 1);
    await statusOf(user.http.post('/api/blueprints/book/entities', { metadata: { title: 'Dune' } }));
    expect(server.requests.list({ status: 503 })).toMatchObject([{ body: { metadata: { title: 'Dune' } } }]);
  });

  test('keeps the latest 1,000; all are counted', () => {
    const log = new RequestLog();
    for (let n = 0; n < 5_001; n += 1) log.received('GET', '/api/me', new URLSearchParams({ n: String(n) }), {});
    const list = log.list();
    expect([list.length, list.at(-1)?.query, log.count()]).toEqual([1_000, { n: '5000' }, 5_001]);
  });
});

test('users have the names they were given', async () => {
  const ada = { username: 'ada', password: 'p', firstName: 'Ada', lastName: 'Lovelace' };
  const one = await startQelosServer({ users: [ada, { username: 'bob', password: 'p' }] });
  expect(one.users).toMatchObject([
    { firstName: 'Ada', lastName: 'Lovelace' },
    { firstName: 'bob', lastName: 'Qelos' },
  ]);
  const auth = createQelosAuth({ config: { url: one.url, username: 'ada', password: 'p' }, env: {} });
  expect((await auth.signIn()).user).toMatchObject({ firstName: 'Ada', fullName: 'Ada Lovelace' });
  await auth.close();
  await one.close();
});
