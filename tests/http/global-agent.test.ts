import http, { Agent } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { startBackend } from '../support/backend';
import { startProxy } from '../support/proxy';
import { ways } from '../support/ways';
import { whenDone } from '../support/when-done';

/** Node's own fetch, which axios' adapter of that name uses, has no agents: SECURITY.md says so. */
const overAgents = ways.filter(({ name }) => !name.includes("'fetch'"));

describe('S18 a global agent that goes through a proxy', () => {
  it.each(overAgents)('does not get what is sent in clear: $name', async ({ open, send }) => {
    const [backend, proxy] = [await startBackend(), await startProxy()];
    const original = http.globalAgent;
    class ThroughProxy extends Agent {
      override createConnection() {
        return connect(proxy.port, '127.0.0.1');
      }
    }
    const replaced = new ThroughProxy();
    http.globalAgent = replaced;
    whenDone(() => {
      http.globalAgent = original;
      replaced.destroy();
    });
    const { url, username, password } = backend;
    const auth = open({ config: { url, username, password } });
    expect((await send(auth, { path: '/books' })).status).toBe(200);
    backend.expire();
    expect((await send(auth, { path: '/books', method: 'POST', body: '{}' })).status).toBe(200);
    expect(proxy.seen).toEqual([]);
    expect(backend.to('/api/signin')).toHaveLength(1);
  });

  it.each(overAgents)("is the caller's choice where he passes it himself: $name", async ({ open, send }) => {
    const [backend, proxy] = [await startBackend(), await startProxy()];
    class ThroughProxy extends Agent {
      override createConnection() {
        return connect(proxy.port, '127.0.0.1');
      }
    }
    const httpAgent = new ThroughProxy();
    whenDone(() => httpAgent.destroy());
    const auth = open({ config: { url: backend.url, apiToken: backend.apiToken }, axios: { httpAgent } });
    await send(auth, { path: '/books' }).catch(() => {});
    expect(proxy.seen.length).toBeGreaterThan(0);
  });
});
