/**
 * The only file that touches `@qelos/sdk`. Node can neither import nor require the published package, so the build
 * replaces the compiled output of this file by a bundle that contains the SDK. A module of this library imported here at
 * run time would end up in that bundle as a second copy, with second classes: import types only.
 */
import RealQelosAdministratorSDK from '@qelos/sdk/administrator';
import BaseSDK from '@qelos/sdk/dist/base-sdk';
import type { QelosSDKOptions } from '@qelos/sdk/types';
import type { QelosAdministratorSDK } from './qelos-sdk.types';

export interface QelosSdkOptions {
  /** Base URL of the instance. */
  url: string;
  /** Everything the SDK sends goes through this. It is the one that authenticates, retries and follows. */
  fetch: typeof globalThis.fetch;
  /**
   * What the SDK writes into `authorization` while it has no access token of its own; `fetch` is expected to replace it.
   * The SDK needs some token, or it would try to refresh one by itself before each request.
   */
  accessToken?: string;
  /** Makes the error for an answer that is not 2xx, or whose JSON cannot be read. `body` is the parsed JSON, or the text. */
  failure: (response: Response, body: unknown) => Error;
}

/** `failure` of each SDK instance made here, by the options object that all modules of one instance share. */
const failures = new WeakMap<QelosSDKOptions, QelosSdkOptions['failure']>();

const publishedCallJsonApi = BaseSDK.prototype.callJsonApi;

/**
 * Stands in for the SDK's own method, which throws the status away, and which can refresh and send again behind the back
 * of `fetch`. SDK instances that were not made here keep the published behaviour.
 */
BaseSDK.prototype.callJsonApi = async function callJsonApi<T>(
  this: BaseSDK,
  relativeUrl: string,
  data?: RequestInit,
): Promise<T> {
  // qlOptions is protected; element access reaches it.
  const failure = failures.get(this['qlOptions']);
  if (failure === undefined) return publishedCallJsonApi.call(this, relativeUrl, data) as Promise<T>;

  const response = await this.callApi(relativeUrl, data);
  const text = await response.text();
  const { readable, body } = parse(response, text);
  if (response.ok && readable) return body as T;
  throw failure(response, body);
};

/** Reads a body as the SDK does: as JSON when the content type says so, as text otherwise. */
function parse(response: Response, text: string): { readable: boolean; body: unknown } {
  if (!response.headers.get('content-type')?.includes('json')) return { readable: true, body: text };
  try {
    return { readable: true, body: JSON.parse(text) };
  } catch {
    return { readable: false, body: text };
  }
}

/** Makes an SDK that sends everything through `fetch`, never refreshes or sends again by itself, and fails with `failure`. */
export function createQelosSdk({
  url,
  fetch,
  accessToken = 'placeholder',
  failure,
}: QelosSdkOptions): QelosAdministratorSDK {
  const options: QelosSDKOptions = {
    appUrl: url,
    fetch,
    accessToken,
    // Asked before each request; an empty answer would make the SDK refresh.
    getAccessToken: () => sdk.authentication.accessToken || accessToken,
  };
  failures.set(options, failure);
  const sdk = new RealQelosAdministratorSDK(options);
  return sdk;
}
