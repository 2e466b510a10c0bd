import { expect, jest, test } from '@jest/globals';
import axios, { type AxiosStatic } from 'axios';
import { adoptAxios } from '../../src/http/axios';
import { startBackend } from '../support/backend';
import { openAuth } from '../support/ways';

/** A second copy of axios, as what `import` loads is one beside that of `require`. */
function anotherAxios(): AxiosStatic {
  let loaded: AxiosStatic | undefined;
  jest.isolateModules(() => {
    loaded = require('axios');
  });
  return loaded as AxiosStatic;
}

test('instances and errors are of the axios that was handed in, and those of an attached instance of its own', async () => {
  const another = anotherAxios();
  expect(another.AxiosError).not.toBe(axios.AxiosError);
  const { url, apiToken } = await startBackend();
  another.defaults.timeoutErrorMessage = 'too slow';
  adoptAxios(another);
  const auth = openAuth({ config: { url, apiToken } });
  const attached = axios.create({ baseURL: url });
  auth.attach(attached);
  expect(auth.http.defaults.timeoutErrorMessage).toBe('too slow');

  const signal = AbortSignal.abort();
  for (const [instance, { AxiosError }] of [
    [auth.http, another],
    [attached, axios],
  ] as const) {
    await expect(instance.get('/api/me', { skipAuth: true })).rejects.toBeInstanceOf(AxiosError);
    await expect(instance.get('/api/me', { signal })).rejects.toBeInstanceOf(AxiosError);
  }
});
