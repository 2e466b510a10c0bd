/**
 * The only file that touches `@qelos/sdk`. Node can neither import nor require the published package, so the build
 * replaces the compiled output of this file by a bundle that contains the SDK. A module of this library imported here at
 * run time would end up in that bundle as a second copy, with second classes: import types only.
 */
import RealQelosAdministratorSDK from '@qelos/sdk/administrator';
import QlAuthentication from '@qelos/sdk/dist/authentication';
import BaseSDK from '@qelos/sdk/dist/base-sdk';
import type { QelosSDKOptions } from '@qelos/sdk/types';
import type { QelosAdministratorSDK } from './qelos-sdk.types';
import type { SdkCalls } from './sdk-calls';

/** What sends the calls of an SDK made here, by the options object that all modules of one instance share. */
const callsOf = new WeakMap<QelosSDKOptions, SdkCalls>();

/** Options of SDKs that make a single call, about another credential than that of the instance. */
const ofOneCall = new WeakSet<QelosSDKOptions>();

const published = { callApi: BaseSDK.prototype.callApi, callJsonApi: BaseSDK.prototype.callJsonApi };

/**
 * Stands in for the SDK's own method, which would put a credential of its own on the call. SDK instances that were not made
 * here keep the published behaviour, of this method and of the next one.
 */
BaseSDK.prototype.callApi = function callApi(this: BaseSDK, relativeUrl: string, data?: RequestInit) {
  const options = this['qlOptions']; // protected; element access reaches it
  const calls = callsOf.get(options);
  return calls ? calls.raw(relativeUrl, data, given(options)) : published.callApi.call(this, relativeUrl, data);
};

/** The SDK's own throws the status away, and can refresh and send again by itself. */
BaseSDK.prototype.callJsonApi = function callJsonApi<T>(this: BaseSDK, relativeUrl: string, data?: RequestInit) {
  const options = this['qlOptions'];
  const calls = callsOf.get(options);
  const answer = calls
    ? calls.json(relativeUrl, data, given(options))
    : published.callJsonApi.call(this, relativeUrl, data);
  return answer as Promise<T>;
};

/** The credential that a single call is about, as far as it is in the options; undefined: that of the instance. */
function given(options: QelosSDKOptions): Record<string, string> | undefined {
  if (!ofOneCall.has(options)) return undefined;
  return options.apiToken === undefined ? {} : { 'x-api-key': options.apiToken };
}

class PipelineSDK extends RealQelosAdministratorSDK {
  readonly #calls: SdkCalls;

  constructor(options: QelosSDKOptions, calls: SdkCalls) {
    super(options);
    this.#calls = calls;
  }

  override setCustomHeader(key: string, value: string): void {
    this.#calls.setHeader(key, value);
  }

  override removeCustomHeader(key: string): void {
    this.#calls.removeHeader(key);
  }
}

/** Makes an SDK that sends everything by `calls`, and never signs in, refreshes or sends again by itself. */
export function createQelosSdk(url: string, calls: SdkCalls): QelosAdministratorSDK {
  const optionsOfCalls = (): QelosSDKOptions => {
    const options = { appUrl: url, fetch: calls.fetch };
    callsOf.set(options, calls);
    return options;
  };
  /** As published, these keep what they are given, or got, for every later call of everybody who shares the SDK. */
  const once = () => {
    const options = optionsOfCalls();
    ofOneCall.add(options);
    return new QlAuthentication(options);
  };
  const sdk = new PipelineSDK(optionsOfCalls(), calls);
  Object.assign(sdk.authentication, {
    apiTokenSignin: (apiToken) => once().apiTokenSignin(apiToken),
    oAuthSignin: (credentials) => once().oAuthSignin(credentials),
    oAuthSignup: (information) => once().oAuthSignup(information),
    refreshToken(refreshToken) {
      if (!refreshToken) throw calls.noRefreshToken();
      return once().refreshToken(refreshToken);
    },
  } satisfies Partial<QlAuthentication>);
  return sdk;
}
