import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import PublishedSDK from '@qelos/sdk/administrator';
import { createQelosSdk } from '../../src/sdk/qelos-sdk';

class AnswerError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`answered ${status}`);
  }
}

const url = 'https://qelos.test';
const fetch = jest.fn<typeof globalThis.fetch>();
const failure = (response: Response, body: unknown) => new AnswerError(response.status, body);

/** Every answer is a new Response, as a body can be read only once. */
function answer(body: string, init: ResponseInit & { type?: string } = {}): void {
  const { type = 'application/json', ...rest } = init;
  fetch.mockImplementation(async () => new Response(body, { ...rest, headers: { 'content-type': type } }));
}

/** What the SDK gave to `fetch`, call by call. */
const sent = () =>
  fetch.mock.calls.map(([input, init]) => ({
    path: String(input).replace(url, ''),
    method: (init?.method ?? 'GET').toUpperCase(),
    headers: init?.headers as Record<string, string>,
    body: init?.body,
  }));

const create = (accessToken?: string) =>
  createQelosSdk({ url, fetch, failure, ...(accessToken === undefined ? {} : { accessToken }) });

beforeEach(() => answer('{}'));

describe('what the SDK sends', () => {
  it('goes through the given fetch, with the placeholder as bearer token', async () => {
    await create('stand-in').authentication.getLoggedInUser();
    expect(sent()).toEqual([
      { path: '/api/me', method: 'GET', headers: { authorization: 'Bearer stand-in' }, body: undefined },
    ]);
  });

  it('has no double slash when the base URL ends with one', async () => {
    await createQelosSdk({ url: `${url}/`, fetch, failure }).blocks.getList();
    expect(sent()[0]?.path).toBe('/api/blocks');
  });

  it('has the custom headers until they are removed', async () => {
    const sdk = create();
    sdk.setCustomHeader('x-trace', 'abc');
    sdk.impersonateUser('user-1', 'workspace-1');
    await sdk.blocks.getList();
    sdk.removeCustomHeader('x-trace');
    sdk.clearImpersonation();
    await sdk.blocks.getList();

    expect(sent()[0]?.headers).toMatchObject({
      'x-trace': 'abc',
      'x-impersonate-user': 'user-1',
      'x-impersonate-workspace': 'workspace-1',
    });
    expect(Object.keys(sent()[1]?.headers ?? {})).toEqual(['authorization']);
  });

  it('carries the API token as x-api-key once apiTokenSignin was called', async () => {
    answer('{"_id":"1","username":"ada"}');
    const sdk = create();
    await expect(sdk.authentication.apiTokenSignin('ql_secret')).resolves.toMatchObject({ username: 'ada' });
    await sdk.blueprints.entitiesOf('book').getList();

    expect(sdk.authentication.isApiTokenAuth).toBe(true);
    expect(sent().map(({ path, headers }) => [path, headers])).toEqual([
      ['/api/me', { 'x-api-key': 'ql_secret' }],
      ['/api/blueprints/book/entities?bypassAdmin=true', { 'x-api-key': 'ql_secret' }],
    ]);
  });

  it('uses the access token of oAuthSignin from then on, and sends the workspace with the sign-in', async () => {
    answer('{"payload":{"token":"access-1","refreshToken":"refresh-1","user":{}}}');
    const sdk = create();
    await sdk.authentication.oAuthSignin({ username: 'ada', password: 'pw', workspace: 'w1' });
    await sdk.authentication.refreshToken();
    await sdk.authentication.refreshToken('refresh-0');
    await sdk.blocks.getList();

    expect(JSON.parse(String(sent()[0]?.body))).toEqual({
      username: 'ada',
      password: 'pw',
      workspace: 'w1',
      authType: 'oauth',
    });
    expect(sent().map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      ['/api/signin', undefined],
      ['/api/token/refresh', 'Bearer refresh-1'],
      ['/api/token/refresh', 'Bearer refresh-0'],
      ['/api/blocks', 'Bearer access-1'],
    ]);
  });
});

describe('an answer that is not ok', () => {
  it.each([400, 401, 403, 404, 409, 429, 500, 503])(
    'rejects with failure() and is not sent again: %i',
    async (status) => {
      answer('{"message":"no"}', { status });
      await expect(create().users.getList()).rejects.toMatchObject({ status, body: { message: 'no' } });
      expect(fetch).toHaveBeenCalledTimes(1);
    },
  );

  it('never makes the SDK refresh, not even after a sign-in that brought a refresh token only', async () => {
    answer('{"payload":{"refreshToken":"refresh-1","user":{}}}');
    const sdk = create('stand-in');
    await sdk.authentication.oAuthSignin({ username: 'ada', password: 'pw' });
    answer('{"message":"expired"}', { status: 401 });
    await expect(sdk.blocks.getList()).rejects.toMatchObject({ status: 401 });

    expect(sent().map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      ['/api/signin', undefined],
      ['/api/blocks', 'Bearer stand-in'],
    ]);
  });

  it('gives failure() the text when the body is not JSON', async () => {
    answer('<h1>Bad gateway</h1>', { status: 502, type: 'text/html' });
    await expect(create().users.getList()).rejects.toMatchObject({ status: 502, body: '<h1>Bad gateway</h1>' });
  });

  it('gives failure() the text when the body says it is JSON and is not', async () => {
    answer('{"message":', { status: 500 });
    await expect(create().users.getList()).rejects.toMatchObject({ status: 500, body: '{"message":' });
  });

  it('is told apart per SDK: each rejects with its own failure()', async () => {
    answer('{}', { status: 404 });
    const one = createQelosSdk({ url, fetch, failure: () => new Error('one') });
    const other = createQelosSdk({ url, fetch, failure: () => new Error('other') });
    await expect(one.ai.threads.getOne('t')).rejects.toThrow('one');
    await expect(other.ai.threads.getOne('t')).rejects.toThrow('other');
  });
});

describe('an answer that is ok', () => {
  it('resolves with text when the body is not JSON', async () => {
    answer('plain', { type: 'text/plain' });
    await expect(create().callJsonApi('/api/x')).resolves.toBe('plain');
  });

  it('resolves with text when nothing says what the body is', async () => {
    fetch.mockResolvedValue(new Response(null, { status: 204 }));
    await expect(create().authentication.deleteApiToken('t')).resolves.toBe('');
  });

  it('rejects with failure() when its JSON cannot be read', async () => {
    answer('{"cut":');
    await expect(create().users.getList()).rejects.toMatchObject({ status: 200, body: '{"cut":' });
  });
});

describe('callApi', () => {
  it('resolves with the answer whatever its status is', async () => {
    answer('{"message":"no"}', { status: 403 });
    const response = await create().callApi('/api/x', { method: 'delete' });
    expect(response).toBeInstanceOf(Response);
    expect(response.status).toBe(403);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('lets AI answers through as a stream', async () => {
    answer('data: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n', { type: 'text/event-stream' });
    const sdk = create();
    const seen: unknown[] = [];
    for await (const event of sdk.ai.chat.parseSSEStream(await sdk.ai.chat.stream('i', { messages: [] }))) {
      seen.push(event);
    }
    expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe('an SDK made by somebody else', () => {
  it('keeps the published behaviour: message of the body, no status, and its own refresh', async () => {
    answer('{"message":"no"}', { status: 403 });
    const published = new PublishedSDK({ appUrl: url, fetch, accessToken: 't' });
    await expect(published.users.getList()).rejects.toEqual(new Error('no'));

    const refreshing = new PublishedSDK({ appUrl: url, fetch, accessToken: 't', forceRefresh: true });
    await expect(refreshing.users.getList()).rejects.toThrow('could not able to refresh token');
  });
});
