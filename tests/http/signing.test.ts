import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { isAxiosError } from 'axios';
import { type AuthError, type AuthStrategy, Credential, isAuthError, type OutgoingRequest } from '../../src';
import { type Backend, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';

const KEY = 'signing-key-of-the-test';
const sign = ({ method, url, body }: OutgoingRequest) =>
  createHmac('sha256', KEY)
    .update(`${method} ${url} ${body ?? ''}`)
    .digest('hex');

describe('a strategy that signs requests', () => {
  let api: Backend;
  beforeEach(async () => {
    api = await startBackend();
  });
  const open = (authorize: NonNullable<AuthStrategy['authorize']>, timeout = 0) =>
    openAuth({
      config: { url: api.url },
      strategies: [
        { name: 'hmac', missing: () => [], signIn: async () => Credential.headers({ 'x-key-id': 'k1' }), authorize },
      ],
      axios: { timeout },
    });
  const headersOf = (path: string) => api.to(path)[0]?.headers ?? {};

  it('sees method, whole URL and body as they are sent, and adds to the headers of the credential', async () => {
    let expected = '';
    const auth = open(async (request, credential) => {
      credential.applyTo(request.headers);
      expected = sign(request);
      request.headers.set('x-signature', expected);
    });
    await auth.http.post('/signed', { a: 1 }, { params: { b: 2 } }).catch(() => {});
    expect(expected).toBe(sign({ method: 'POST', url: `${api.url}/signed?b=2`, body: '{"a":1}' } as OutgoingRequest));
    expect(headersOf('/signed')).toMatchObject({ 'x-key-id': 'k1', 'x-signature': expected });
  });

  it('decides alone what is set, and reads and removes what the caller set', async () => {
    const auth = open(({ headers }) => {
      if (headers.get('x-mine') === 'yes') headers.delete('x-mine');
    });
    await auth.http.get('/plain', { headers: { 'x-mine': 'yes' } }).catch(() => {});
    expect(headersOf('/plain')).not.toHaveProperty('x-mine');
    expect(headersOf('/plain')).not.toHaveProperty('x-key-id');
  });

  it('shows no signature on what comes out', async () => {
    const auth = open(({ headers }) => headers.set('x-signature', KEY));
    const outcome = await auth.http.get('/signed').catch((error: unknown) => error);
    expect(leaks(outcome, [KEY])).toEqual([]);
  });

  it('that throws ends the call with an error that names it and keeps its text to itself', async () => {
    const auth = open(() => {
      throw new TypeError(`cannot sign with ${KEY}`);
    });
    const error = (await auth.http.get('/signed').catch((reason: unknown) => reason)) as AuthError;
    expect(isAuthError(error)).toBe(true);
    expect(error.code).toBe('ERR_AUTH_BAD_RESPONSE');
    expect(error.message).toMatch(/"hmac".*signing of a request.*TypeError/);
    expect(leaks(error, [KEY])).toEqual([]);
    expect(api.to('/signed')).toEqual([]);
  });

  it('that never ends keeps no call longer than its time-out', async () => {
    const auth = open(() => new Promise(() => {}), 20);
    const error = await auth.http.get('/signed').catch((reason: unknown) => reason);
    expect(isAxiosError(error) && error.code).toBe('ECONNABORTED');
    expect(api.to('/signed')).toEqual([]);
  });
});
