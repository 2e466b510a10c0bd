import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadUndiciTransport } from '../../src/undici/undici-transport';
import { answerCases, outcomeOf, startAnswerServer } from '../support/answer-endings';
import { runChild } from '../support/child';

let server: Awaited<ReturnType<typeof startAnswerServer>>;
beforeAll(async () => {
  server = await startAnswerServer();
});
afterAll(() => server.close());

describe('S15: however an answer ends', () => {
  it('no exception is left uncaught', async () => {
    const { code, stderr, stdout } = await runChild('answer-endings.ts', {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ calls: answerCases.length, hung: 0 });
  }, 60_000);

  it.each(answerCases)('$content, $framing, $ending, $size bytes, $reader reader: as over Node', async (answer) => {
    const ofNode = await outcomeOf(server.url, answer, {});
    const ofUndici = await outcomeOf(server.url, answer, { transport: loadUndiciTransport() });
    if (!answer.ending.endsWith('cut short')) expect(ofNode).toBe('whole');
    expect(ofUndici).toBe(ofNode);
  });
});
