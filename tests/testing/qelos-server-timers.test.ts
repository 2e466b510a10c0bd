import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, jest, test } from '@jest/globals';
import { startQelosServer } from '../../src/testing';

/**
 * Whatever a test does with the clock of its own process, the server goes on: a real one runs elsewhere. Sign-ins,
 * refreshes and latency are what takes time in it.
 */
const server = JSON.stringify(join(__dirname, '../../src/testing/index.ts'));

/** A test's own clock as its framework sets it, in a process of its own. */
const clocks = {
  'node:test, all that it mocks':
    "require('node:test').mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });",
  'vitest, all that it replaces, in the module of the timers too':
    "require('@sinonjs/fake-timers').install({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', " +
    "'setImmediate', 'clearImmediate', 'Date', 'performance', 'hrtime'] });",
};

const script = (clock: string) => `
  const http = require('node:http');
  const { startQelosServer } = require(${server});
  const call = (url, method, headers, body) => new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
  const act = async (options) => {
    const server = await startQelosServer(options);
    const { username, password } = server.users[0];
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ username, password, authType: 'oauth' });
    const signedIn = await call(server.url + '/api/signin', 'POST', json, body);
    const { token, refreshToken } = JSON.parse(signedIn.text).payload;
    const me = await call(server.url + '/api/me', 'GET', { authorization: 'Bearer ' + token });
    const refreshed = await call(server.url + '/api/token/refresh', 'POST', { authorization: 'Bearer ' + refreshToken });
    const takeOver = server.deploy();
    takeOver();
    await server.close();
    return [signedIn.status, me.status, refreshed.status];
  };
  ${clock}
  (async () => console.log(JSON.stringify([await act(), await act({ latencyMs: 5 })])))();
`;

describe('the server goes on under the clock of', () => {
  test.each(Object.entries(clocks))(
    '%s',
    async (_name, clock) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--no-warnings', '--require', 'esbuild-register', '--eval', script(clock)],
        { cwd: join(__dirname, '../..'), timeout: 20_000 },
      );
      expect(JSON.parse(stdout)).toEqual([
        [200, 200, 200],
        [200, 200, 200],
      ]);
    },
    30_000,
  );

  test('jest, all that it replaces', async () => {
    jest.useFakeTimers({ now: Date.now() + 365 * 24 * 60 * 60 * 1000 });
    const started = await startQelosServer({ latencyMs: 5 });
    const { username, password } = started.users[0] ?? {};
    const answer = await fetch(`${started.url}/api/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password, authType: 'oauth' }),
    });
    const { payload } = (await answer.json()) as { payload: { token: string } };
    const me = await fetch(`${started.url}/api/me`, { headers: { authorization: `Bearer ${payload.token}` } });
    expect([answer.status, me.status]).toEqual([200, 200]);
    await started.close();
    jest.useRealTimers();
  });
});
