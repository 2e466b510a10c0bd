import { describe, expect, it } from '@jest/globals';
import { wrapper } from 'axios-cookiejar-support';
import { CookieJar } from 'tough-cookie';
import { isAuthError } from '../../src';
import { startQelosServer } from '../../src/testing';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

describe('S18: a cookie jar below the adapter, with the session of another user', () => {
  it('does not make calls run as that user', async () => {
    const server = await startQelosServer();
    whenDone(() => server.close());
    const [admin, plain] = server.users as unknown as { username: string; password: string }[];
    const jar = new CookieJar();
    const answer = await fetch(`${server.url}/api/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: plain?.username, password: plain?.password }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';');
      await jar.setCookie(`${pair}; Path=/`, server.url);
    }
    const byCookie = await fetch(`${server.url}/api/me`, {
      headers: { cookie: await jar.getCookieString(server.url) },
    });
    expect(await byCookie.json()).toMatchObject({ username: plain?.username });
    const auth = openAuth({ config: { url: server.url, username: admin?.username, password: admin?.password } });
    wrapper(auth.http as never);
    const outcome = await auth.http.get('/api/me', { jar } as never).then(
      ({ data }) => (data as { username: string }).username,
      (error) => (isAuthError(error) || /jar|cookie/i.test(error.message) ? 'refused in words' : error),
    );
    expect([admin?.username, 'refused in words']).toContain(outcome);
  });
});
