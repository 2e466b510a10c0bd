/** @jest-environment jsdom */
import { expect, it } from '@jest/globals';
import { createQelosAuth, isAuthError } from 'qelos-auth';

it('loads under the jsdom of jest, and says what to set', () => {
  const config = { url: 'http://127.0.0.1:1', apiToken: 'ql_x' };
  let error: unknown;
  try {
    createQelosAuth({ config, env: {} });
  } catch (thrown) {
    error = thrown;
  }
  expect(isAuthError(error)).toBe(true);
  expect(error).toMatchObject({
    code: 'ERR_AUTH_CONFIG',
    message: expect.stringMatching(/^Globals of Node are missing: ReadableStream, Request, .*jsdom/),
    hint: expect.stringContaining('@jest-environment node'),
  });
});
