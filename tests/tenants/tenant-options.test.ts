import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Agent } from 'node:http';
import { expect, it, jest } from '@jest/globals';
import { undici } from 'qelos-auth/undici';
import { startBackend } from '../support/backend';
import { whenDone } from '../support/when-done';
import { openTenants } from './open';

it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a timeoutMs of %p is refused', (timeoutMs) => {
  expect(() => openTenants(() => undefined, { timeoutMs })).toThrow(
    expect.objectContaining({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('timeoutMs') }),
  );
});

it('sign-ins and calls of tenants go over the transport that was given, and over Node where none was', async () => {
  const { url, username, password } = await startBackend();
  const overUndici: string[] = [];
  const note = (message: unknown) => void overUndici.push((message as { request: { path: string } }).request.path);
  subscribe('undici:request:create', note);
  whenDone(() => unsubscribe('undici:request:create', note));
  const call = async (options: Parameters<typeof openTenants>[1]) => {
    const tenant = await openTenants(() => ({ url, username, password }), options).for('a');
    await tenant.http.get('/books');
  };
  await call({});
  expect(overUndici).toEqual([]);
  await call({ transport: undici() });
  expect(overUndici).toEqual(['/api/signin', '/books']);
});

it('sign-ins of tenants use the agent that was given, as their calls do', async () => {
  const { url, username, password } = await startBackend();
  const httpAgent = new Agent();
  const connect = jest.spyOn(httpAgent, 'createConnection');
  const tenant = await openTenants(() => ({ url, username, password }), { axios: { httpAgent } }).for('a');
  expect(connect).toHaveBeenCalledTimes(1);
  await tenant.http.get('/books');
  expect(connect).toHaveBeenCalledTimes(2);
});
