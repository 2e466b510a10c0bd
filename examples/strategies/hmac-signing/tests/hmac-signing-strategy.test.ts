import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createQelosAuth, type QelosAuth } from 'qelos-auth';
import { describeAuthStrategy, type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { HmacSigningStrategy } from '../src/hmac-signing-strategy';
import { type Received, type SigningGateway, startGateway } from './signing-gateway';

/** A strategy made under these settings. They are gone afterwards: it has read them when it was made. */
function configured(settings: Record<string, string>): HmacSigningStrategy {
  Object.assign(process.env, settings);
  const strategy = new HmacSigningStrategy();
  for (const name of Object.keys(settings)) delete process.env[name];
  return strategy;
}

const ENTITIES = '/api/blueprints/book/entities';
const BOOK = { metadata: { title: 'Dune' } };

describeAuthStrategy('hmac-signing', {
  describe,
  it,
  without: ['refuse', 'hang'], // it has the key, and asks nobody
  async server() {
    const qelos = await startQelosServer();
    const gateway = await startGateway(qelos);
    return { ...gateway, close: () => gateway.close().then(qelos.close) };
  },
  create: ({ keyId: GATEWAY_KEY_ID, secret: GATEWAY_SECRET }) => ({
    strategy: configured({ GATEWAY_KEY_ID, GATEWAY_SECRET }),
    unconfigured: configured({}),
    secrets: [GATEWAY_SECRET],
  }),
});

describe('HmacSigningStrategy', () => {
  let qelos: QelosServer;
  let gateway: SigningGateway;
  let auth: QelosAuth;
  beforeEach(async () => {
    qelos = await startQelosServer();
    gateway = await startGateway(qelos);
    auth = open(gateway.secret);
  });
  afterEach(async () => {
    await auth.close();
    await gateway.close();
    await qelos.close();
  });

  function open(secret: string): QelosAuth {
    const strategy = configured({ GATEWAY_KEY_ID: gateway.keyId, GATEWAY_SECRET: secret });
    return createQelosAuth({ config: { url: gateway.url }, env: {}, strategies: [strategy] });
  }

  /** Sends a request once more, as somebody would who has seen it on the way. */
  async function replay(changes: Partial<Received> = {}): Promise<[status: number, body: unknown]> {
    const { method, url, headers, body } = { ...(gateway.received.at(-1) as Received), ...changes };
    const names = Object.keys(headers).filter((name) => name.startsWith('x-') || name === 'content-type');
    const answer = await fetch(gateway.url + url, {
      method,
      headers: names.map((name): [string, string] => [name, String(headers[name])]),
      ...(body.length > 0 && { body: new Uint8Array(body) }),
    });
    return [answer.status, await answer.json()];
  }

  it('gets through a gateway that knows the key', async () => {
    expect(await auth.signIn()).toMatchObject({ strategy: 'hmac-signing', user: { username: 'user' } });
  });

  it('signs each of many requests at once, equal ones too', async () => {
    await Promise.all(Array.from({ length: 50 }, () => auth.http.get('/api/me')));
    expect(new Set(gateway.received.map(({ headers }) => headers['x-signature'])).size).toBe(50);
  });

  it('never sends the secret', async () => {
    await auth.http.post(ENTITIES, BOOK);
    const { headers, url, body } = gateway.received[0] as Received;
    expect(JSON.stringify({ headers, url, body: body.toString() })).not.toContain(gateway.secret);
  });

  it.each<[string, string, Record<string, unknown>]>([
    ['parameters', '/api/me', { z: 'last', a: 'first', list: ['one', 'two'] }],
    ['parameters after a query', '/api/me?m=1&m=0', { a: 2 }],
    ['what clients encode differently', "/api/me?q=it's&p=a+b&r=a%2Bb", { s: "it's a (test)!", t: 'ü:$,[]' }],
    ['an encoded path', '/api/blueprints/b%C3%BCcher%20x/entities', {}],
  ])('signs the query: %s', async (_, url, params) => {
    expect((await auth.http.get(url, { params })).status).toBe(200);
  });

  it.each<[string, unknown]>([
    ['JSON', BOOK],
    ['a string', JSON.stringify(BOOK)],
    ['a Buffer', Buffer.from(JSON.stringify(BOOK))],
    ['a typed array', new TextEncoder().encode(JSON.stringify(BOOK))],
    ['an ArrayBuffer', new TextEncoder().encode(JSON.stringify(BOOK)).buffer],
  ])('signs a body that is %s', async (_, body) => {
    const { data } = await auth.http.post(ENTITIES, body, { headers: { 'content-type': 'application/json' } });
    expect(data).toMatchObject(BOOK);
    const { headers } = gateway.received[0] as Received;
    expect(headers['x-signature-content']).toMatch(/^[0-9a-f]{64}$/);
    expect(await replay({ body: Buffer.from('{"metadata":{"title":"Emma"}}') })).toEqual([
      401,
      { message: 'body altered' },
    ]);
  });

  it('signs what the SDK and fetch send', async () => {
    await auth.sdk.blueprints.entitiesOf('book').create(BOOK);
    expect(
      (await auth.fetch(ENTITIES, { method: 'POST', body: new Blob(['{}'], { type: 'application/json' }) })).status,
    ).toBe(200);
    for (const { headers } of gateway.received) expect(headers['x-signature-content']).not.toBe('UNSIGNED-PAYLOAD');
  });

  it('says under the signature that a stream is not signed', async () => {
    const stream = Readable.from([JSON.stringify(BOOK)], { objectMode: false });
    const { data } = await auth.http.post(ENTITIES, stream, { headers: { 'content-type': 'application/json' } });
    expect(data).toMatchObject(BOOK);
    expect(gateway.received[0]?.headers['x-signature-content']).toBe('UNSIGNED-PAYLOAD');
  });

  it.each<[string, (request: Received) => Partial<Received>, string]>([
    ['unchanged', () => ({}), 'replayed'],
    ['with another method', () => ({ method: 'PUT' }), 'bad signature'],
    ['with another path', ({ url }) => ({ url: url.replace('book', 'user') }), 'bad signature'],
    ['with another query', ({ url }) => ({ url: url.replace('a=1', 'a=2') }), 'bad signature'],
    ['with one more parameter', ({ url }) => ({ url: `${url}&b=2` }), 'bad signature'],
    ['with another nonce', ({ headers }) => ({ headers: { ...headers, 'x-signature-nonce': 'n' } }), 'bad signature'],
    [
      'with a later time',
      ({ headers }) => ({
        headers: { ...headers, 'x-signature-time': String(Number(headers['x-signature-time']) + 1) },
      }),
      'bad signature',
    ],
    [
      'with an unsigned body',
      ({ headers }) => ({ headers: { ...headers, 'x-signature-content': 'UNSIGNED-PAYLOAD' } }),
      'bad signature',
    ],
  ])('lets nobody send a request again %s', async (_, change, message) => {
    await auth.http.post(`${ENTITIES}?a=1`, BOOK);
    expect(await replay(change(gateway.received[0] as Received))).toEqual([401, { message }]);
  });

  it('lets nobody hold a request back', async () => {
    await auth.http.get('/api/me');
    gateway.advance(301);
    expect(await replay()).toEqual([401, { message: 'time out of bounds' }]);
  });

  it('sends a request once whose signature is refused', async () => {
    const other = open('not the secret');
    await expect(other.http.get('/api/me')).rejects.toMatchObject({
      response: { status: 401, data: { message: 'bad signature' } },
    });
    expect(gateway.received).toHaveLength(1);
    await other.close();
  });

  it('is made by the container, from the environment, and says what it lacks', () => {
    const make = () => createQelosAuth({ config: { url: gateway.url }, env: {}, strategies: [HmacSigningStrategy] });
    Object.assign(process.env, { GATEWAY_KEY_ID: 'k', GATEWAY_SECRET: 's' });
    expect(make().strategy.name).toBe('hmac-signing');
    delete process.env['GATEWAY_SECRET'];
    expect(make).toThrow(/GATEWAY_SECRET/);
    delete process.env['GATEWAY_KEY_ID'];
    expect(new HmacSigningStrategy().missing()).toEqual(['GATEWAY_KEY_ID', 'GATEWAY_SECRET']);
  });
});
