import { refusalOf } from '../http/fetch';
import { timeoutOf } from '../http/limits';
import type { QelosAuth } from '../qelos-auth';
import { sdkError } from '../sdk/sdk-answer';
import { SdkCalls } from '../sdk/sdk-calls';
import { type PluginPlayOptions, playOptions } from './plugin-play-options';

export type { PluginPlayOptions } from './plugin-play-options';

/** One set for each account: who asks twice must not get a second stand-in, nor a second memory of refused passwords. */
const made = new WeakMap<QelosAuth, PluginPlayOptions>();

/**
 * What `configure()` or `start()` of `@qelos/plugin-play` needs in its config, so that its SDKs run on the pipeline of an
 * account: the calls of `getSdk()` carry its credential, those of tenants go on with their own.
 *
 * @example
 * ```ts
 * await start({ manifest: { name: 'books' }, config: { ...pluginPlayOptions(createQelosAuth()) } });
 * ```
 *
 * @returns the same options each time it is called with the same account
 */
export function pluginPlayOptions(auth: QelosAuth): PluginPlayOptions {
  const known = made.get(auth);
  if (known) return known;
  const { http } = auth;
  const url = String(http.defaults.baseURL);
  const options = playOptions({
    url,
    fetch: new SdkCalls({ url, http, failure: sdkError }).fetch,
    timeoutMs: () => timeoutOf(http.defaults),
    failure: (response, body) => {
      const { status, statusText, url } = response;
      const headers = Object.fromEntries(response.headers);
      return sdkError({ status, statusText, headers, url, body, refusal: refusalOf(response) });
    },
  });
  made.set(auth, options);
  return options;
}
