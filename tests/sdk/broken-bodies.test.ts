import { describe, expect, it } from '@jest/globals';
import { isAxiosError } from 'axios';
import { undici } from 'qelos-auth/undici';
import { startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';

interface CallsJson {
  callJsonApi(path: string): Promise<unknown>;
}

describe.each([['Node', undefined] as const, ['undici', undici()] as const])(
  'S01: the SDK over %s',
  (_name, transport) => {
    it.each([200, 500])('tells a body that breaks off (%i) from an answer', async (status) => {
      const backend = await startBackend();
      backend.on('/cut', (_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json', 'content-length': 100 });
        response.write('{"a":', () => setImmediate(() => response.destroy()));
      });
      const auth = openAuth({
        config: { url: backend.url, apiToken: backend.apiToken },
        ...(transport && { transport }),
      });
      const error: unknown = await (auth.sdk as unknown as CallsJson).callJsonApi('/cut').then(
        () => 'answered',
        (caught) => caught,
      );
      expect(leaks(error, [backend.apiToken])).toEqual([]);
      if (status === 500) expect(isAxiosError(error) && error.response?.status).toBe(500);
      else {
        expect(error).toBeInstanceOf(TypeError);
        expect(error).toMatchObject({ message: 'fetch failed', cause: { message: expect.stringMatching(/aborted/) } });
      }
    });
  },
);
