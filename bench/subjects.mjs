/**
 * What is measured: one entry a client, each used as its documentation says. `open` gets the address of the server and the
 * means of transport, which are the same for all, and returns the function that makes one call. That resolves with the user, or
 * with an answer that has the user as its `data`, and rejects if the call failed.
 */
import { createRequire } from 'node:module';
import { ACCOUNT } from './server.mjs';

const require = createRequire(import.meta.url);

/**
 * @typedef {object} Setting
 * @property {string} url of the server
 * @property {import('node:http').Agent} [agent] for clients over `node:http`
 * @property {typeof fetch} fetch for clients over `fetch`
 * @property {import('undici').Dispatcher} dispatcher for clients over undici
 *
 * @typedef {object} Subject
 * @property {string} name as tables show it
 * @property {'none' | 'static' | 'refreshes'} credential what it can do with one: `refreshes` gets a new one after a 401
 * @property {boolean} [ours]
 * @property {boolean} [hasTransport] it brings a transport of its own, which no stub takes the place of
 * @property {(setting: Setting) => Promise<() => Promise<unknown>>} open
 */

const PATH = '/api/me';

/** What clients that leave signing in and refreshing to their users are given: the shortest code that does it. */
function account({ url, agent: httpAgent }) {
  const axios = require('axios');
  const bare = axios.create({ baseURL: url, httpAgent });
  return {
    signIn: async () => {
      const { username, password } = ACCOUNT;
      return (await bare.post('/api/signin', { username, password, authType: 'oauth' })).data.payload;
    },
    refresh: async (refreshToken) =>
      (await bare.post('/api/token/refresh', undefined, { headers: { authorization: `Bearer ${refreshToken}` } })).data
        .payload,
  };
}

const ours = (optionsOf) => async (setting) => {
  const { createQelosAuth } = require('qelos-auth');
  const { username, password } = ACCOUNT;
  const config = { url: setting.url, username, password };
  const auth = createQelosAuth({ env: {}, config, axios: { httpAgent: setting.agent }, ...optionsOf() });
  await auth.signIn();
  return () => auth.http.get(PATH);
};

/** axios-auth-refresh as its README shows it: the token in a variable, a request interceptor that sets it. */
const authRefresh = (options) => async (setting) => {
  const axios = require('axios');
  const { createAuthRefresh } = require('axios-auth-refresh');
  const { signIn, refresh } = account(setting);
  let session = await signIn();
  const instance = axios.create({ baseURL: setting.url, httpAgent: setting.agent });
  instance.interceptors.request.use((config) => {
    config.headers.Authorization = `Bearer ${session.token}`;
    return config;
  });
  createAuthRefresh(
    instance,
    async (failed) => {
      session = await refresh(session.refreshToken);
      failed.response.config.headers.Authorization = `Bearer ${session.token}`;
    },
    options,
  );
  return () => instance.get(PATH);
};

/** What others are held against, and what all of this is for. */
export const BARE = 'bare axios, no authentication';
export const OURS = 'qelos-auth';

/** @type {Subject[]} */
export const SUBJECTS = [
  {
    name: BARE,
    credential: 'none',
    // It gets what any server would accept from the start, so that all are answered alike.
    open: async ({ url, agent: httpAgent }) => {
      const headers = { 'x-api-key': ACCOUNT.apiToken };
      const instance = require('axios').create({ baseURL: url, httpAgent, headers });
      return () => instance.get(PATH);
    },
  },
  { name: OURS, credential: 'refreshes', ours: true, open: ours(() => ({})) },
  {
    name: `${OURS}, transport: undici`,
    credential: 'refreshes',
    ours: true,
    hasTransport: true, // with the agent that storms need, it would send by node:http
    open: ours(() => ({ transport: require('qelos-auth/undici').undici() })),
  },
  { name: 'axios-auth-refresh, defaults', credential: 'refreshes', open: authRefresh({}) },
  {
    name: 'axios-auth-refresh, deduplicateRefresh: false',
    credential: 'refreshes',
    open: authRefresh({ deduplicateRefresh: false }),
  },
  {
    name: 'axios-token-interceptor',
    credential: 'static',
    open: async (setting) => {
      const { token } = await account(setting).signIn();
      const instance = require('axios').create({ baseURL: setting.url, httpAgent: setting.agent });
      instance.interceptors.request.use(require('axios-token-interceptor')({ getToken: async () => token }));
      return () => instance.get(PATH);
    },
  },
  {
    name: 'axios-jwt',
    credential: 'refreshes',
    open: async (setting) => {
      const { applyAuthTokenInterceptor, applyStorage, setAuthTokens } = require('axios-jwt');
      const { signIn, refresh } = account(setting);
      const kept = new Map();
      applyStorage({
        set: (key, value) => void kept.set(key, value),
        get: (key) => kept.get(key) ?? null,
        remove: (key) => void kept.delete(key),
      });
      const { token: accessToken, refreshToken } = await signIn();
      await setAuthTokens({ accessToken, refreshToken });
      const instance = require('axios').create({ baseURL: setting.url, httpAgent: setting.agent });
      applyAuthTokenInterceptor(instance, {
        requestRefresh: async (spent) => {
          const { token, refreshToken: next } = await refresh(spent);
          return { accessToken: token, refreshToken: next };
        },
      });
      return () => instance.get(PATH);
    },
  },
  {
    name: '@qelos/sdk, forceRefresh',
    credential: 'refreshes',
    open: async ({ url, fetch }) => {
      const { QelosAdministratorSDK } = require('./node_modules/.bench/qelos.cjs');
      const sdk = new QelosAdministratorSDK({ appUrl: url, fetch, forceRefresh: true });
      const { username, password } = ACCOUNT;
      await sdk.authentication.oAuthSignin({ username, password });
      return () => sdk.authentication.getLoggedInUser();
    },
  },
  {
    name: '@qelos/plugin-play, getSdkForUrl',
    credential: 'refreshes',
    open: async ({ url, fetch }) => {
      const { getSdkForUrl, setConfig } = require('./node_modules/.bench/qelos.cjs');
      setConfig({ sdkOptions: { fetch } });
      const { username, password } = ACCOUNT;
      const sdk = getSdkForUrl({ appUrl: url, username, password });
      await sdk.authentication.oAuthSignin({ username, password });
      return () => sdk.authentication.getLoggedInUser();
    },
  },
  {
    name: 'google-auth-library',
    credential: 'refreshes',
    open: async (setting) => {
      const { OAuth2Client } = require('google-auth-library');
      const { token: access_token, refreshToken: refresh_token } = await account(setting).signIn();
      const client = new OAuth2Client({
        clientId: 'bench',
        clientSecret: 'bench',
        forceRefreshOnFailure: true,
        endpoints: { oauth2TokenUrl: `${setting.url}/oauth/token` },
        transporterOptions: { fetchImplementation: setting.fetch },
      });
      client.setCredentials({ access_token, refresh_token, expiry_date: Date.now() + 18_000_000 });
      return () => client.request({ url: `${setting.url}${PATH}` });
    },
  },
  {
    name: '@azure/core-rest-pipeline, bearer policy',
    credential: 'refreshes',
    open: async (setting) => {
      const azure = require('@azure/core-rest-pipeline');
      const { signIn } = account(setting);
      const credential = {
        getToken: async () => {
          const { token, exp } = await signIn();
          return { token, expiresOnTimestamp: exp * 1_000 };
        },
      };
      const pipeline = azure.createEmptyPipeline();
      pipeline.addPolicy(azure.bearerTokenAuthenticationPolicy({ credential, scopes: 'bench' }));
      const client = azure.createDefaultHttpClient();
      // The policy insists on https:, the server of a measurement has none.
      const plain = {
        sendRequest: (request) => {
          request.url = request.url.replace('https:', 'http:');
          return client.sendRequest(request);
        },
      };
      const url = `${setting.url.replace('http:', 'https:')}${PATH}`;
      return async () => {
        const { agent } = setting;
        const request = azure.createPipelineRequest({ url, allowInsecureConnection: true, agent });
        const { status, bodyAsText } = await pipeline.sendRequest(plain, request);
        if (status !== 200) throw new Error(`status ${status}`);
        return JSON.parse(bodyAsText);
      };
    },
  },
  {
    name: '@octokit/core, auth-token',
    credential: 'static',
    open: async (setting) => {
      const { Octokit } = await import('@octokit/core');
      const { token } = await account(setting).signIn();
      // A JSON Web Token is sent as a bearer credential.
      const octokit = new Octokit({ auth: token, baseUrl: setting.url, request: { fetch: setting.fetch } });
      return () => octokit.request(`GET ${PATH}`);
    },
  },
  {
    name: 'undici.request, no authentication',
    credential: 'none',
    hasTransport: true,
    open: async ({ url, dispatcher }) => {
      const { request } = require('undici');
      const headers = { 'x-api-key': ACCOUNT.apiToken };
      return async () => (await request(`${url}${PATH}`, { dispatcher, headers })).body.json();
    },
  },
];

/**
 * Opens subjects one after the other.
 *
 * @param {number} [connections] how many each may open; if left out, each has what it comes with, as most users do
 */
export async function openAll(subjects, url, connections) {
  const opened = [];
  for (const subject of subjects) {
    const { Agent } = require('node:http');
    const agent = connections === undefined ? undefined : new Agent({ keepAlive: true, maxSockets: connections });
    const { Agent: UndiciAgent, fetch: undiciFetch } = require('undici');
    const dispatcher = new UndiciAgent(connections === undefined ? {} : { connections });
    const bounded = (input, init) => undiciFetch(input, { ...init, dispatcher });
    const fetch = connections === undefined ? globalThis.fetch : bounded;
    const call = await subject.open({ url, agent, fetch, dispatcher });
    const answer = await call();
    if ((answer.data ?? answer).username !== ACCOUNT.username)
      throw new Error(`${subject.name} was answered with something else`);
    opened.push({ ...subject, call });
  }
  return opened;
}
