// What a Qelos does with a plugin that it has installed: it calls its endpoints and hooks, with a token that the plugin gave
// it when it was registered.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:net';

/** A Qelos that has the plugin installed. */
export class CallingQelos {
  readonly #url: string;
  readonly #token: string;

  /**
   * @param url - of the plugin
   * @param accessTokenSecret - what the plugin signs its tokens with
   * @param sub - whom the plugin knows this Qelos as
   */
  constructor(url: string, accessTokenSecret: string, sub: string) {
    this.#url = url;
    this.#token = jsonWebToken({ sub, identifier: '1', exp: Math.floor(Date.now() / 1000) + 3600 }, accessTokenSecret);
  }

  get(path: string): Promise<{ status: number; data: unknown }> {
    return this.#call(path, {});
  }

  post(path: string, body: object): Promise<{ status: number; data: unknown }> {
    return this.#call(path, { method: 'POST', body: JSON.stringify(body), type: 'application/json' });
  }

  async #call(path: string, { type, ...init }: { method?: string; body?: string; type?: string }) {
    const headers = { authorization: `Bearer ${this.#token}`, ...(type && { 'content-type': type }) };
    const response = await fetch(this.#url + path, { ...init, headers });
    return { status: response.status, data: (await response.json()) as unknown };
  }
}

function jsonWebToken(claims: object, secret: string): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

/** A port of 127.0.0.1 at which nobody listens. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await new Promise<number>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => resolve((probe.address() as { port: number }).port));
  });
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
