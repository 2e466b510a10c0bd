import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import PublishedSDK from '@qelos/sdk/administrator';
import axios, { type AxiosAdapter } from 'axios';
import { createQelosSdk } from '../../src/sdk/qelos-sdk';
import type { FailedAnswer } from '../../src/sdk/sdk-answer';
import { SdkCalls } from '../../src/sdk/sdk-calls';

class AnswerError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`answered ${status}`);
  }
}

const url = 'https://qelos.test';
const send = jest.fn<AxiosAdapter>();
const http = axios.create({ adapter: send });
const answerError = ({ status, body }: FailedAnswer) => new AnswerError(status, body);

function answer(data: string, { status = 200, type = 'application/json' } = {}): void {
  send.mockImplementation(async (config) => {
    return { status, statusText: '', headers: { 'content-type': type }, data, config };
  });
}

/** What the SDK had sent, call by call. */
const sent = () =>
  send.mock.calls.map(([config]) => {
    const { accept: _, 'user-agent': __, ...headers } = lowerCased(config.headers.toJSON());
    const { pathname, search } = new URL(axios.getUri(config));
    return { path: pathname + search, method: (config.method ?? 'get').toUpperCase(), headers, body: config.data };
  });

const lowerCased = (headers: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const create = (failure = answerError, base = url) => createQelosSdk(base, new SdkCalls({ url: base, http, failure }));

beforeEach(() => answer('{}'));

describe('what the SDK sends', () => {
  it('goes through the given axios instance, without any credential of its own', async () => {
    await create().authentication.getLoggedInUser();
    expect(sent()).toEqual([{ path: '/api/me', method: 'GET', headers: {}, body: undefined }]);
  });

  it.each([`${url}/`, url])('has no double slash: %s', async (base) => {
    await create(answerError, base).blocks.getList();
    await create(answerError, base).blocks.remove('b');
    expect(sent().map(({ path }) => path)).toEqual(['/api/blocks', '/api/blocks/b']);
  });

  it('stays below the base URL, also if a path looks like a URL', async () => {
    await create(answerError, `${url}/base`).callJsonApi('//evil.test/api/x');
    await create(answerError, `${url}/base`).callJsonApi('https://evil.test/api/x');
    expect(send.mock.calls.map(([config]) => axios.getUri(config).startsWith(`${url}/base/`))).toEqual([true, true]);
  });

  it('has the query as the SDK wrote it, in JSON calls and others', async () => {
    const books = create().blueprints.entitiesOf('book');
    const query = { title: 'a b&c:d', author: 'é' };
    await books.getList(query);
    await books.remove('dune', { query });
    const written = 'bypassAdmin=true&title=a+b%26c%3Ad&author=%C3%A9';
    expect(sent().map(({ path }) => path.split('?')[1])).toEqual([written, written]);
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
    expect(Object.keys(sent()[1]?.headers ?? {})).toEqual([]);
  });

  it('leaves the headers of the call alone', async () => {
    const sdk = create();
    sdk.setCustomHeader('x-trace', 'abc');
    const headers = { 'X-Mine': '1' };
    await sdk.callJsonApi('/api/x', { headers });
    await sdk.callApi('/api/x', { headers });
    expect(headers).toEqual({ 'X-Mine': '1' });
    expect(sent().map((call) => call.headers)).toEqual(
      Array.from({ length: 2 }, () => ({ 'x-trace': 'abc', 'x-mine': '1' })),
    );
  });

  it('S06: carries the API token of apiTokenSignin as x-api-key, in that call alone', async () => {
    answer('{"_id":"1","username":"ada"}');
    const sdk = create();
    await expect(sdk.authentication.apiTokenSignin('ql_secret')).resolves.toMatchObject({ username: 'ada' });
    await sdk.blueprints.entitiesOf('book').getList();

    expect(sdk.authentication.isApiTokenAuth).toBe(false);
    expect(sent().map(({ path, headers }) => [path, headers])).toEqual([
      ['/api/me', { 'x-api-key': 'ql_secret' }],
      ['/api/blueprints/book/entities?bypassAdmin=true', {}],
    ]);
  });

  it('S06: keeps no token of oAuthSignin, and sends the workspace with the sign-in', async () => {
    answer('{"payload":{"token":"access-1","refreshToken":"refresh-1","user":{}}}');
    const sdk = create();
    const { payload } = await sdk.authentication.oAuthSignin({ username: 'ada', password: 'pw', workspace: 'w1' });
    expect(payload).toMatchObject({ token: 'access-1', refreshToken: 'refresh-1' });
    await sdk.authentication.refreshToken('refresh-0');
    await sdk.blocks.getList();

    expect(JSON.parse(String(sent()[0]?.body))).toEqual({
      username: 'ada',
      password: 'pw',
      workspace: 'w1',
      authType: 'oauth',
    });
    expect(sdk.authentication.accessToken).toBeUndefined();
    expect(sent().map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      ['/api/signin', undefined],
      ['/api/token/refresh', 'Bearer refresh-0'],
      ['/api/blocks', undefined],
    ]);
  });
});

describe('an answer that is not ok', () => {
  it.each([400, 401, 403, 404, 409, 429, 500, 503])(
    'rejects with failure() and is not sent again: %i',
    async (status) => {
      answer('{"message":"no"}', { status });
      await expect(create().users.getList()).rejects.toMatchObject({ status, body: { message: 'no' } });
      expect(send).toHaveBeenCalledTimes(1);
    },
  );

  it('never makes the SDK refresh, not even after a sign-in that brought a refresh token only', async () => {
    answer('{"payload":{"refreshToken":"refresh-1","user":{}}}');
    const sdk = create();
    await sdk.authentication.oAuthSignin({ username: 'ada', password: 'pw' });
    answer('{"message":"expired"}', { status: 401 });
    await expect(sdk.blocks.getList()).rejects.toMatchObject({ status: 401 });

    expect(sent().map(({ path, headers }) => [path, headers['authorization']])).toEqual([
      ['/api/signin', undefined],
      ['/api/blocks', undefined],
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
    const one = create(() => new AnswerError(1, 'one'));
    const other = create(() => new AnswerError(2, 'other'));
    await expect(one.ai.threads.getOne('t')).rejects.toMatchObject({ body: 'one' });
    await expect(other.ai.threads.getOne('t')).rejects.toMatchObject({ body: 'other' });
  });
});

describe('an answer that is ok', () => {
  it('resolves with text when the body is not JSON', async () => {
    answer('plain', { type: 'text/plain' });
    await expect(create().callJsonApi('/api/x')).resolves.toBe('plain');
  });

  it('resolves with text when nothing says what the body is', async () => {
    send.mockImplementation(async (config) => ({ status: 204, statusText: '', headers: {}, data: '', config }));
    await expect(create().authentication.deleteApiToken('t')).resolves.toBe('');
  });

  it('rejects with failure() when its JSON cannot be read', async () => {
    answer('{"cut":');
    await expect(create().users.getList()).rejects.toMatchObject({ status: 200, body: '{"cut":' });
  });
});

describe('an answer of an adapter of somebody else', () => {
  const text = '{"a":"ü"}';
  it.each<[string, unknown]>([
    ['text', text],
    ['a Buffer', Buffer.from(text)],
    ['an ArrayBuffer', new Uint8Array(Buffer.from(text)).buffer],
    ['a Blob', new Blob([text])],
    ['a stream', Readable.from([Buffer.from(text)])],
    ['a web stream', new Blob([text]).stream()],
    ['parsed JSON', { a: 'ü' }],
  ])('is read, also if it is %s', async (_, data) => {
    const headers = { 'content-type': 'application/json' };
    send.mockImplementation(async (config) => ({ status: 200, statusText: '', headers, data, config }));
    await expect(create().callJsonApi('/api/x')).resolves.toEqual({ a: 'ü' });
  });

  it.each([undefined, null])('is empty if it is %s', async (data) => {
    send.mockImplementation(async (config) => ({ status: 200, statusText: '', headers: {}, data, config }));
    await expect(create().callJsonApi('/api/x')).resolves.toBe('');
  });
});

describe('callApi', () => {
  it('resolves with the answer whatever its status is', async () => {
    answer('{"message":"no"}', { status: 403 });
    const response = await create().callApi('/api/x', { method: 'delete' });
    expect(response).toBeInstanceOf(Response);
    expect(response.status).toBe(403);
    expect(send).toHaveBeenCalledTimes(1);
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
    const fetch = async () =>
      new Response('{"message":"no"}', { status: 403, headers: { 'content-type': 'application/json' } });
    const published = new PublishedSDK({ appUrl: url, fetch, accessToken: 't' });
    await expect(published.users.getList()).rejects.toEqual(new Error('no'));

    const refreshing = new PublishedSDK({ appUrl: url, fetch, accessToken: 't', forceRefresh: true });
    await expect(refreshing.users.getList()).rejects.toThrow('could not able to refresh token');
  });
});
