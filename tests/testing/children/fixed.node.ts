// The contract of strategies under Node's own runner, for a strategy that asks nobody. Its test runs it as a process.
import { describe, it } from 'node:test';
import { Credential } from '../../../src';
import { describeAuthStrategy } from '../../../src/testing';

describeAuthStrategy('fixed', {
  describe,
  it,
  without: ['refuse', 'hang'],
  create(server) {
    const apiToken = server.issueApiToken();
    const strategy = { name: 'fixed', missing: () => [], signIn: async () => Credential.apiKey(apiToken) };
    return { strategy, secrets: [apiToken] };
  },
});
