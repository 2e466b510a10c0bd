import type { AxiosInstance, CreateAxiosDefaults } from 'axios';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, RequiredAction } from '../contract/auth-strategy';
import type { EventHub } from '../events';
import { createBareClient } from '../http/bare-client';
import { Origin } from '../http/origin';

/** What a strategy's context is made from. */
export interface StrategyContextParts {
  /** Base URL of the Qelos instance. */
  url: string;
  /** Name of the strategy. */
  strategy: string;
  /** Defaults of the axios instance for the API, which say how servers are reached. */
  connection: CreateAxiosDefaults;
  events: Pick<EventHub, 'emit'>;
}

/** What a strategy gets to obtain a credential with, for one attempt, which ends with the signal. */
export function strategyContext(signal: AbortSignal, parts: StrategyContextParts): AuthContext {
  const { url, strategy, connection, events } = parts;
  const clientOf = (baseURL: string) => createBareClient(baseURL, new Origin(baseURL), signal, connection);
  let http: AxiosInstance | undefined;
  return {
    signal,
    // Made when a strategy asks for it: not every one does.
    get http() {
      http ??= clientOf(url);
      return http;
    },
    client(baseURL) {
      if (!isHttpUrl(baseURL)) throw noBaseUrl(strategy);
      return clientOf(baseURL);
    },
    prompt({ message, url, code, expiresAt }: RequiredAction) {
      if (signal.aborted) return; // nobody waits for it any more
      events.emit('actionRequired', {
        strategy,
        message,
        ...(url !== undefined && { url }),
        ...(code !== undefined && { code }),
        ...(expiresAt !== undefined && { expiresAt }),
      });
    },
  };
}

function isHttpUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function noBaseUrl(strategy: string): AuthError {
  return new AuthError(
    'ERR_AUTH_CONFIG',
    `The strategy "${strategy}" asked for a client with something that is no base URL.`,
    {
      hint: 'Give context.client() an absolute URL, such as https://id.example, without user name and password in it.',
    },
  );
}
