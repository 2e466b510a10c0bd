/** @jest-environment <rootDir>/tests/support/jsdom-with-node.cjs */
import { expect, it } from '@jest/globals';
import axios from 'axios';
import { startQelosServer } from 'qelos-auth/testing';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

it("goes by Node's client where axios would pick XMLHttpRequest", async () => {
  expect(['XMLHttpRequest' in globalThis, axios.defaults.adapter]).toEqual([true, ['xhr', 'http', 'fetch']]);
  const server = await startQelosServer();
  whenDone(() => server.close());
  const { username = '', password = '' } = server.users[0] ?? {};
  const auth = openAuth({ config: { url: server.url, username, password } });
  expect(await auth.signIn()).toMatchObject({ strategy: 'oauth-refresh', user: { username } });
  expect((await auth.http.get('/api/me')).data).toMatchObject({ username });
  expect(await (await auth.fetch('/api/me')).json()).toMatchObject({ username });
  expect(await auth.sdk.authentication.getLoggedInUser()).toMatchObject({ username });
});
