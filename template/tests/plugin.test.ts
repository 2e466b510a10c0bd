import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { registerQelosAuth } from 'qelos-auth';
import { type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { container as root } from 'tsyringe';
import { BOOK_BLUEPRINT } from '../src/books.ts';
import { createPluginServer } from '../src/server.ts';

describe('the plugin, against an embedded Qelos', () => {
  let qelos: QelosServer;
  let plugin: Server;
  let url: string;

  beforeEach(async () => {
    qelos = await startQelosServer();
    const container = root.createChildContainer();
    registerQelosAuth(container, { config: { url: qelos.url, apiToken: qelos.issueApiToken() }, env: {} });
    container.register(BOOK_BLUEPRINT, { useValue: 'book' });
    plugin = createPluginServer(container).listen(0, '127.0.0.1');
    await once(plugin, 'listening');
    url = `http://127.0.0.1:${(plugin.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    plugin.closeAllConnections();
    plugin.close();
    await qelos.close();
  });

  it('adds a book and lists it', async () => {
    const added = await fetch(`${url}/books`, { method: 'POST', body: JSON.stringify({ title: 'Dune' }) });
    assert.equal(added.status, 201);
    const books = (await (await fetch(`${url}/books`)).json()) as { metadata: { title: string } }[];
    assert.equal(books.map(({ metadata }) => metadata.title).join(), 'Dune');
  });

  it('refuses a book without a title, and asks Qelos nothing', async () => {
    assert.equal((await fetch(`${url}/books`, { method: 'POST', body: '{}' })).status, 400);
    assert.equal(qelos.requests.count(), 0);
  });

  it('is healthy, and looks once however often it is asked', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => fetch(`${url}/health`)));
    assert.ok(answers.every(({ status }) => status === 200));
    const asked = qelos.requests.count();
    await fetch(`${url}/health`);
    assert.equal(qelos.requests.count(), asked);
  });

  it('is not healthy when Qelos is away, and says why', async () => {
    qelos.fail('/api/me', { status: 503 });
    const health = await fetch(`${url}/health`);
    assert.equal(health.status, 503);
    assert.match(await health.text(), /"outcome":"failed"/);
  });
});
