import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { isAxiosError } from 'axios';
import { apiRefusal, Credential, isAuthError, type OutgoingRequest, type QelosAuth } from '../../src';
import { type Answer, type Backend, sendJson, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

let api: Backend;
let auth: QelosAuth;
beforeEach(async () => {
  api = await startBackend();
  auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await auth.signIn();
});

describe('F31: a body through auth.fetch', () => {
  const bytes = Buffer.from([0, 1, 255, 13, 10, 128]);
  const form = new FormData();
  form.append('text', 'grüße');
  form.append('file', new Blob([bytes], { type: 'application/x-thing' }), 'thing.bin');

  type Body = NonNullable<RequestInit['body']>;
  const bodies: [string, Body, string | undefined, Buffer | undefined][] = [
    ['a string', 'tëxt', 'text/plain;charset=UTF-8', Buffer.from('tëxt')],
    [
      'URLSearchParams',
      new URLSearchParams({ a: 'ü &' }),
      'application/x-www-form-urlencoded;charset=UTF-8',
      Buffer.from('a=%C3%BC+%26'),
    ],
    ['a Buffer', bytes, undefined, bytes],
    [
      'a part of a Uint8Array',
      new Uint8Array(Buffer.concat([bytes, bytes])).subarray(3, 9),
      undefined,
      Buffer.concat([bytes, bytes]).subarray(3, 9),
    ],
    ['a DataView', new DataView(new Uint8Array(bytes).buffer, 1, 3), undefined, bytes.subarray(1, 4)],
    ['an ArrayBuffer', new Uint8Array(bytes).buffer, undefined, bytes],
    ['a Blob with a type', new Blob([bytes], { type: 'application/x-thing' }), 'application/x-thing', bytes],
    ['a Blob without a type', new Blob([bytes]), undefined, bytes],
    ['a FormData', form, 'multipart/form-data; boundary=', undefined],
    ['an empty string', '', 'text/plain;charset=UTF-8', Buffer.alloc(0)],
  ];

  it.each(bodies)(
    '%s arrives as from the built-in fetch, and is sent again byte for byte after a 401',
    async (_, body, type, expected) => {
      api.expire();
      const response = await auth.fetch('/upload', { method: 'POST', body });
      expect(response.status).toBe(200);
      const [first, second] = api.to('/upload');
      expect([first?.authorized, second?.authorized, api.to('/upload').length]).toEqual([false, true, 2]);
      expect(second?.body.equals(first?.body as Buffer)).toBe(true);
      if (expected) expect(second?.body.equals(expected)).toBe(true);
      else expect(second?.body.toString('latin1')).toContain(bytes.toString('latin1'));
      const received = second?.headers['content-type'];
      if (type?.endsWith('=')) expect(received?.startsWith(type)).toBe(true);
      else expect(received).toBe(type);
    },
  );

  it('a Request with all it has', async () => {
    api.expire();
    const request = new Request(`${api.url}/upload?x=1`, {
      method: 'PUT',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'x-mine': '1' },
    });
    expect((await auth.fetch(request)).status).toBe(200);
    expect(
      api
        .to('/upload')
        .map(({ method, url, headers, body }) => [
          method,
          url,
          headers['content-type'],
          headers['x-mine'],
          body.toString(),
        ]),
    ).toEqual(Array.from({ length: 2 }, () => ['PUT', '/upload?x=1', 'application/json', '1', '{"a":1}']));
  });

  it('init wins over the Request', async () => {
    const request = new Request(`${api.url}/upload`, { method: 'POST', body: 'a', headers: { 'x-mine': '1' } });
    await auth.fetch(request, { method: 'PUT', body: 'b', headers: { 'x-other': '2' } });
    expect(api.to('/upload')).toMatchObject([{ method: 'PUT', headers: { 'x-other': '2' } }]);
    expect(api.to('/upload')[0]?.body.toString()).toBe('b');
    expect(api.to('/upload')[0]?.headers).not.toHaveProperty('x-mine');
  });

  it('a URL object, and a header list of any kind', async () => {
    await auth.fetch(new URL(`${api.url}/x?y=1`), {
      headers: [
        ['x-a', '1'],
        ['x-a', '2'],
      ],
    });
    await auth.fetch('/x', { headers: new Headers({ 'X-A': '3' }) });
    expect(api.to('/x').map(({ url, headers, authorized }) => [url, headers['x-a'], authorized])).toEqual([
      ['/x?y=1', '1, 2', true],
      ['/x', '3', true],
    ]);
  });

  it('names no content type for a request without a body', async () => {
    for (const method of ['GET', 'POST', 'DELETE']) await auth.fetch('/x', { method });
    expect(api.to('/x').map(({ headers }) => headers['content-type'])).toEqual([undefined, undefined, undefined]);
  });
});

describe('what auth.fetch rejects with', () => {
  it("is the signal's reason, whatever that is, at every stage", async () => {
    const reasons = [new Error('mine'), 'a string', undefined];
    for (const reason of reasons) {
      const before = AbortSignal.abort(reason);
      expect(await failure(auth.fetch('/x', { signal: before }))).toBe(before.reason);

      const during = new AbortController();
      api.on('/hang', () => during.abort(reason));
      expect(await failure(auth.fetch('/hang', { signal: during.signal }))).toBe(during.signal.reason);

      const inRequest = new AbortController();
      api.on('/hang', () => inRequest.abort(reason));
      const error = await failure(auth.fetch(new Request(`${api.url}/hang`, { signal: inRequest.signal })));
      expect(error).toEqual(inRequest.signal.reason);
    }
    expect(api.to('/x')).toEqual([]);
  });

  it("is the signal's reason while the body is read as well", async () => {
    const abort = new AbortController();
    api.on('/endless', (_, response) => {
      response.writeHead(200);
      response.write('x'.repeat(1_000));
    });
    const response = await auth.fetch('/endless', { signal: abort.signal });
    const reader = response.body?.getReader();
    expect((await reader?.read())?.value?.length).toBe(1_000);
    const next = failure(reader?.read() as Promise<unknown>);
    abort.abort(new Error('enough'));
    expect(await next).toBe(abort.signal.reason);
  });

  it('is a TypeError with the network fault as cause', async () => {
    api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
    const error = await failure(auth.fetch('/reset'));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNRESET' } });
  });

  it('is the AuthError if there is no credential', async () => {
    const wrong = openAuth({ config: { url: api.url, username: api.username, password: 'wrong' } });
    const error = await failure(wrong.fetch('/x'));
    expect(isAuthError(error) && error.code).toBe('ERR_AUTH_REFUSED');
  });

  it('is a failing body, when the answer breaks off', async () => {
    api.on('/broken', (_, response) => {
      response.writeHead(200, { 'content-length': '200000' });
      response.write('begin', () => setImmediate(() => response.socket?.resetAndDestroy()));
    });
    const response = await auth.fetch('/broken');
    const error = await failure(response.text());
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: 'terminated', cause: { message: expect.any(String) } });
    expect(leaks(error, Object.values(api.secrets))).toEqual([]);
    // Nobody reads this one: it must not bring the process down.
    await auth.fetch('/broken');
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('what auth.fetch resolves with', () => {
  it('10 MB, unharmed, with the length and without', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'ab\u0000c');
    const hash = createHash('sha256');
    for (let i = 0; i < 10; i++) hash.update(chunk);
    const expected = hash.digest('hex');
    for (const headers of [{}, { 'content-length': String(10 * chunk.length) }] as Record<string, string>[]) {
      api.on('/large', (_, response) => {
        response.writeHead(200, headers);
        for (let i = 0; i < 10; i++) response.write(chunk);
        response.end();
      });
      const got = createHash('sha256');
      let parts = 0;
      const { body } = await auth.fetch('/large');
      for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
        got.update(part);
        parts += 1;
      }
      expect(got.digest('hex')).toBe(expected);
      expect(parts).toBeGreaterThan(10);
    }
  }, 30_000);

  it('events as they come, one by one', async () => {
    let send: (event: string) => void = () => {};
    let end = () => {};
    api.on('/events', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      send = (event) => response.write(`data: ${event}\n\n`);
      end = () => response.end();
    });
    const response = await auth.fetch('/events'); // before any event was sent
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (const event of ['one', 'two', 'three']) {
      send(event);
      const { value } = await reader.read();
      expect(Buffer.from(value as Uint8Array).toString()).toBe(`data: ${event}\n\n`);
    }
    end();
    expect((await reader.read()).done).toBe(true);
  });

  it('closes the connection if the body is cancelled', async () => {
    const closed = new Promise<void>((resolve) => {
      api.on('/endless', (_, response) => {
        response.once('close', resolve);
        response.writeHead(200);
        response.write('x');
      });
    });
    const response = await auth.fetch('/endless');
    await response.body?.cancel();
    await closed;
  });

  it.each([204, 205, 304])('a %i without a body', async (status) => {
    api.on('/none', (_, response) => response.writeHead(status, { 'x-answer': '1' }).end());
    const response = await auth.fetch('/none');
    expect([response.status, response.body, response.headers.get('x-answer')]).toEqual([status, null, '1']);
  });

  it.each([400, 401, 403, 404, 500, 503])('a %i, as any fetch does', async (status) => {
    api.on('/bad', (_, response) => sendJson(response, status, { message: 'no' }));
    const response = await auth.fetch('/bad');
    expect([response.status, response.ok, await response.json()]).toEqual([status, false, { message: 'no' }]);
  });

  it('HEAD without a body', async () => {
    const response = await auth.fetch('/x', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(api.to('/x')).toMatchObject([{ method: 'HEAD', authorized: true }]);
  });

  it('its url, status text and headers, cookies apart', async () => {
    api.on('/x', (_, response) =>
      response.writeHead(200, 'Fine', { 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] }).end('{}'),
    );
    const response = await auth.fetch('/x?y=1');
    expect(response.url).toBe(`${api.url}/x?y=1`);
    expect([response.statusText, response.headers.get('x-a')]).toEqual(['Fine', '1']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('what was packed on the way', async () => {
    api.on('/gzip', (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
      const gzip = createGzip();
      gzip.pipe(response);
      gzip.end(JSON.stringify({ text: 'x'.repeat(100_000) }));
    });
    const { text } = (await (await auth.fetch('/gzip')).json()) as { text: string };
    expect(text.length).toBe(100_000);
  });

  it('a copy by clone()', async () => {
    const response = await auth.fetch('/x');
    const copy = response.clone();
    expect(await copy.json()).toEqual(await response.json());
  });
});

describe('what an adapter of somebody else answers with', () => {
  const data = { a: 'ü' };
  const text = JSON.stringify(data);
  const bytes = Buffer.from(text);

  it.each<[string, unknown, string]>([
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['text', text, text],
    ['a Buffer', bytes, text],
    ['an ArrayBuffer', new Uint8Array(bytes).buffer, text],
    ['a Blob', new Blob([text]), text],
    ['a web stream', new Blob([text]).stream(), text],
    ['parsed JSON', data, text],
  ])('is the body, also if it is %s', async (_name, answer, expected) => {
    const headers = { 'x-none': undefined, 'x-null': null, 'x-one': 1 };
    auth.http.defaults.adapter = async (config) => {
      return { status: 200, statusText: 'Fine', headers: headers as never, data: answer, config };
    };
    const response = await auth.fetch('/x');
    expect(await response.text()).toBe(expected);
    expect(Object.fromEntries(response.headers)).toMatchObject({ 'x-one': '1' });
    expect([response.headers.has('x-none'), response.headers.has('x-null')]).toEqual([false, false]);
  });
});

describe('redirect modes', () => {
  beforeEach(() => api.on('/moved', (_, response) => response.writeHead(302, { location: '/there' }).end()));

  it('follow: is followed; url is where the answer came from', async () => {
    const response = await auth.fetch('/moved');
    expect([response.status, response.url, response.redirected]).toEqual([200, `${api.url}/there`, true]);
    expect((await auth.fetch('/there')).redirected).toBe(false);
  });

  it('manual: hands out the redirect', async () => {
    for (const call of [
      auth.fetch('/moved', { redirect: 'manual' }),
      auth.fetch(new Request(`${api.url}/moved`, { redirect: 'manual' })),
    ]) {
      const response = await call;
      expect([response.status, response.headers.get('location')]).toEqual([302, '/there']);
    }
    expect(api.to('/there')).toEqual([]);
  });

  it.each([
    [201, '/there'],
    [300, undefined],
    [400, '/there'],
  ])('error: takes a %i with the location %s for no redirect', async (status, location) => {
    api.on('/made', (_, response) => response.writeHead(status, location === undefined ? {} : { location }).end());
    expect((await auth.fetch('/made', { redirect: 'error' })).status).toBe(status);
  });

  it('error: is a TypeError', async () => {
    const error = await failure(auth.fetch('/moved', { redirect: 'error' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: 'fetch failed', cause: { message: 'unexpected redirect' } });
    expect(api.to('/there')).toEqual([]);
  });
});

describe('S01: a body that breaks off while nobody reads it', () => {
  const breaks: [string, (response: ServerResponse) => void][] = [
    ['is reset', (response) => response.socket?.resetAndDestroy()],
    ['is cut short', (response) => response.socket?.end()],
  ];
  const heads: [string, number, Record<string, string>][] = [
    ['a small 200', 200, { 'content-length': '100' }],
    ['a large 200', 200, { 'content-length': '200000' }],
    ['a 200 in chunks', 200, {}],
    ['a 404', 404, { 'content-length': '100' }],
    ['a 401', 401, {}],
  ];
  const cases = breaks.flatMap(([how, cut]) => heads.map((head) => [how, ...head, cut] as const));
  const faults: unknown[] = [];
  const note = (fault: unknown) => faults.push(fault);
  beforeEach(() => {
    faults.length = 0;
    process.on('uncaughtException', note).on('unhandledRejection', note);
    whenDone(() => process.off('uncaughtException', note).off('unhandledRejection', note));
  });

  it.each(cases)(
    '%s: %s ends no process, and fails whoever reads it later',
    async (_how, _what, status, headers, cut) => {
      let go: () => void = () => {};
      const broken = new Promise<void>((resolve) => {
        api.on('/broken', (_, response) => {
          response.writeHead(status, headers);
          response.write('begin');
          response.once('close', resolve);
          go = () => cut(response);
        });
      });
      const response = await auth.fetch('/broken');
      const copy = response.clone();
      go();
      await broken;
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(await failure(response.text())).toMatchObject({ name: 'TypeError', message: 'terminated' });
      expect(await failure(copy.json())).toBeInstanceOf(Error);
      expect(faults).toEqual([]);
    },
  );

  it('aborted after the answer: whoever reads later gets the reason', async () => {
    api.on('/endless', (_, response) => {
      response.writeHead(200);
      response.write('x');
    });
    const abort = new AbortController();
    const response = await auth.fetch('/endless', { signal: abort.signal });
    abort.abort(new Error('enough'));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(await failure(response.text())).toBe(abort.signal.reason);
    expect(faults).toEqual([]);
  });
});

describe('S03: with a time-out, auth.fetch', () => {
  const timeout = 300;
  let quick: QelosAuth;
  beforeEach(async () => {
    const config = { url: api.url, username: api.username, password: api.password };
    quick = openAuth({ config, axios: { timeout } });
    await quick.signIn();
  });
  /** An answer that never ends, after so many pieces. */
  const stalls =
    (status: number, headers: Record<string, string>): Answer =>
    (_, response) => {
      response.writeHead(status, headers);
      response.write('x');
    };

  it.each<[number, Record<string, string>]>([
    [200, {}],
    [200, { 'content-length': '100' }],
    [200, { 'content-length': '100000' }],
    [401, {}],
    [403, { 'content-length': '100' }],
    [503, {}],
  ])('has the head of a %i that stalls %j, and its body fails', async (status, headers) => {
    api.on('/stalls', stalls(status, headers));
    const response = await quick.fetch('/stalls');
    expect(response.status).toBe(status);
    const error = await failure(response.text());
    expect(error).toMatchObject({ message: 'terminated', cause: { message: `timeout of ${timeout}ms exceeded` } });
  });

  it('fails in words that name the time-out that was set', async () => {
    api.on('/hang', () => {});
    const error = await failure(quick.fetch('/hang'));
    expect(error).toMatchObject({ message: 'fetch failed', cause: { message: `timeout of ${timeout}ms exceeded` } });
  });

  it('lets a body drip for as long as it likes', async () => {
    api.on('/drips', (_, response) => {
      response.writeHead(200);
      let drops = 0;
      const timer = setInterval(() => {
        if (++drops <= 8) response.write('x');
        else response.end(() => clearInterval(timer));
      }, timeout / 4);
    });
    expect(await (await quick.fetch('/drips')).text()).toBe('xxxxxxxx');
  });

  it.each(['text/event-stream', 'text/event-stream; charset=utf-8'])('lets a %s be silent for longer', async (type) => {
    api.on('/events', (_, response) => {
      response.writeHead(200, { 'content-type': type });
      response.write('data: 1\n\n');
      setTimeout(() => response.end('data: 2\n\n'), 3 * timeout);
    });
    expect(await (await quick.fetch('/events')).text()).toBe('data: 1\n\ndata: 2\n\n');
  });

  it('ends the wait for a body when the signal is aborted', async () => {
    for (const headers of [{}, { 'content-length': '100' }] as Record<string, string>[]) {
      api.on('/stalls', stalls(200, headers));
      const abort = new AbortController();
      const response = await auth.fetch('/stalls', { signal: abort.signal });
      const text = failure(response.text());
      abort.abort(new Error('mine'));
      expect(await text).toBe(abort.signal.reason);
    }
  });
});

describe('S20: a Response of auth.fetch', () => {
  it('keeps url and redirected in its copies, and in theirs', async () => {
    api.on('/moved', (_, response) => response.writeHead(302, { location: '/there#part' }).end());
    const response = await auth.fetch('/moved');
    const copies = [response, response.clone(), response.clone().clone()];
    expect(copies.map(({ url, redirected }) => [url, redirected])).toEqual(
      copies.map(() => [`${api.url}/there`, true]),
    );
    expect(await Promise.all(copies.map((copy) => copy.json()))).toHaveLength(3);
  });

  it.each([
    ['/a/../b?x=ü#part', '/b?x=%C3%BC'],
    ['/x y', '/x%20y'],
  ])('has the URL of %s as new URL() makes it, without fragment', async (path, expected) => {
    expect((await auth.fetch(path)).url).toBe(`${api.url}${expected}`);
  });

  it.each(['HEAD', 'head'])('has no body for %s, whatever the length that is announced', async (method) => {
    api.on('/x', (_, response) => response.writeHead(200, { 'content-length': '1000000' }).end());
    const response = await auth.fetch('/x', { method });
    expect([response.status, response.body, response.headers.get('content-length')]).toEqual([200, null, '1000000']);
    expect((await auth.fetch('/y')).status).toBe(200);
  });

  it('fails as a fetch does where no Response can hold the status', async () => {
    api.on('/odd', (_, response) => response.writeHead(999).end('x'));
    expect(await failure(auth.fetch('/odd'))).toMatchObject({ name: 'TypeError', message: 'fetch failed' });
  });
});

describe('auth.sdk', () => {
  it('sends its custom headers beside the credential, until they are removed', async () => {
    auth.sdk.setCustomHeader('x-mine', '1');
    auth.sdk.impersonateUser('user-1', 'workspace-1');
    await auth.sdk.blocks.getList();
    auth.sdk.removeCustomHeader('x-mine');
    auth.sdk.clearImpersonation();
    await auth.sdk.blocks.getList();
    const [first, second] = api.to('/api/blocks');
    expect(first).toMatchObject({ authorized: true, headers: { 'x-mine': '1', 'x-impersonate-user': 'user-1' } });
    expect(second).toMatchObject({ authorized: true });
    expect(second?.headers).not.toHaveProperty('x-mine');
    expect(second?.headers).not.toHaveProperty('x-impersonate-user');
  });

  it('S06: cannot be talked into another credential by a custom header, and says so', async () => {
    for (const name of ['authorization', 'X-Api-Key', 'Cookie']) {
      expect(() => auth.sdk.setCustomHeader(name, 'other')).toThrow(`setCustomHeader('${name}', …) names another`);
    }
    await auth.sdk.blocks.getList();
    expect(api.to('/api/blocks')).toMatchObject([{ authorized: true }]);
    expect(api.to('/api/blocks')[0]?.headers).not.toHaveProperty('x-api-key');
  });

  it('fails with the status, the details and what they mean', async () => {
    api.on('/api/blocks', (_, response) =>
      sendJson(response, 403, { message: 'not yours', more: [1] }, { 'x-answer': '1' }),
    );
    const error = await failure(auth.sdk.blocks.getList());
    expect(isAxiosError(error)).toBe(true);
    expect(error).toMatchObject({
      message: 'not yours',
      status: 403,
      code: 'ERR_BAD_REQUEST',
      details: { message: 'not yours', more: [1] },
      authCode: 'ERR_AUTH_FORBIDDEN',
      response: { status: 403, data: { message: 'not yours' }, headers: { 'x-answer': '1' } },
    });
  });

  it('explains a refusal as auth.http does, also where the strategy signs by itself', async () => {
    const signing = {
      name: 'signing',
      missing: () => [],
      signIn: async () => Credential.apiKey(api.apiToken),
      authorize: ({ headers }: OutgoingRequest) => headers.set('x-api-key', api.apiToken),
    };
    const signed = openAuth({ config: { url: api.url }, strategies: [signing] });
    api.on('/api/blocks', (_, response) => sendJson(response, 401, { message: 'Invalid or expired API token' }));
    const errors = [await failure(signed.http.get('/api/blocks')), await failure(signed.sdk.blocks.getList())];
    expect(errors.map((error) => apiRefusal(error)?.authCode)).toEqual([
      'ERR_AUTH_TOKEN_REFUSED',
      'ERR_AUTH_TOKEN_REFUSED',
    ]);
  });

  it.each([
    ['JSON', 500, { message: 'broken' }, 'broken', 'ERR_BAD_RESPONSE'],
    ['JSON without a message', 404, { code: 'NONE' }, 'Request failed with status code 404', 'ERR_BAD_REQUEST'],
  ] as const)('fails with what an API error says (%s)', async (_, status, body, message, code) => {
    api.on('/api/blocks', (_request, response) => sendJson(response, status, body));
    expect(await failure(auth.sdk.blocks.getList())).toMatchObject({ message, status, code, details: body });
  });

  it('fails with the text of an answer that is no JSON', async () => {
    api.on('/api/blocks', (_, response) =>
      response.writeHead(504, { 'content-type': 'text/plain' }).end('upstream is down'),
    );
    expect(await failure(auth.sdk.blocks.getList())).toMatchObject({ message: 'upstream is down', status: 504 });
  });

  it('fails with the network fault', async () => {
    api.on('/api/blocks', (_, _response, incoming) => incoming.socket.resetAndDestroy());
    expect(await failure(auth.sdk.blocks.getList())).toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNRESET' },
    });
  });

  it('removes: an answer without a body is no error', async () => {
    api.on('/api/blocks/b1', (_, response) => response.writeHead(200).end());
    await auth.sdk.blocks.remove('b1');
    expect(api.to('/api/blocks/b1')).toMatchObject([{ method: 'DELETE', authorized: true }]);
  });

  it('sends its own sign-in as it is, and goes on with the credential of the instance', async () => {
    const before = api.to('/api/signin').length;
    await auth.sdk.authentication.oAuthSignin({ username: api.username, password: api.password });
    const [own] = api.to('/api/signin').slice(before);
    expect(JSON.parse(String(own?.body))).toMatchObject({ username: api.username, password: api.password });
    expect((await auth.fetch('/x')).status).toBe(200);
  });

  it('sends each call once for whatever fails, POST too', async () => {
    for (const status of [400, 404, 409, 429, 500]) {
      api.on('/api/blocks', (_, response) => sendJson(response, status, {}));
      await failure(auth.sdk.blocks.create({ name: 'x' } as never));
    }
    expect(api.to('/api/blocks')).toHaveLength(5);
    expect(api.to('/api/token/refresh')).toEqual([]);
  });
});
