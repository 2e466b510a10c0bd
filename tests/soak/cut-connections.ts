import { setTimeout as sleep } from 'node:timers/promises';
import { isAxiosError } from 'axios';
import { createQelosAuth, isAuthError, type QelosAuth } from 'qelos-auth';
import { type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { openUnsteadyWay, type UnsteadyWay } from '../support/unsteady-way';

const ME = '/api/me';
const REFRESH = '/api/token/refresh';
const TOKEN_SECONDS = 4;
const CUT_SHARE = 0.3;
const CALLERS = 20;
const CALL_TIMEOUT_MS = 15_000;

export interface CutConnections {
  readonly seconds: number;
  /** A number of at least 0 and less than 1. */
  random(): number;
  /** Told what was done wrong, with its row of docs/faults.md. */
  blame(what: string): void;
}

/** What has happened, for the report. */
type Figures = Record<string, number>;

/** Tokens of four seconds, and 30 % of all connections cut: no call may fail but those whose own connection was cut (W01). */
export async function withConnectionsCut({ seconds, random, blame }: CutConnections): Promise<Figures> {
  return over({
    keepAlive: false,
    isCut: () => random() < CUT_SHARE,
    async calls({ auth, server, way }) {
      const end = performance.now() + seconds * 1_000;
      let calls = 0;
      let ownCut = 0;
      const caller = async () => {
        while (performance.now() < end) {
          calls++;
          const error = await failureOf(auth);
          if (isCutOff(error)) ownCut++;
          else if (error) blame(`a call whose own connection was not cut: ${kindOf(error)} (W01)`);
          await sleep(10);
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      const renewals = server.requests.count({ path: REFRESH, status: 200 });
      if (ownCut > way.cut()) blame('more calls failed than connections were cut (W01)');
      if (renewals < seconds / TOKEN_SECONDS - 2) blame('the tokens were not renewed (W01)');
      return { 'calls, 30 % cut': calls, 'of these cut off': ownCut, 'connections cut': way.cut(), renewals };
    },
  });
}

/** Keep-alive connections that have died unnoticed at the moment of each renewal: none of the callers may fail (W02). */
export async function withDeadSockets({ seconds, blame }: CutConnections): Promise<Figures> {
  return over({
    keepAlive: true,
    isCut: () => false,
    async calls({ auth, way }) {
      const end = performance.now() + seconds * 1_000;
      let rounds = 0;
      do {
        await Promise.all(Array.from({ length: CALLERS }, () => failureOf(auth)));
        await sleep(TOKEN_SECONDS * 1_000);
        way.freeze(REFRESH);
        const failed = await Promise.all(Array.from({ length: CALLERS }, () => failureOf(auth)));
        for (const error of failed) if (error) blame(`a call behind a dead socket: ${kindOf(error)} (W02)`);
        rounds++;
      } while (performance.now() < end);
      if (way.cut() < rounds) blame('no renewal met a dead socket (W02)');
      return { 'renewals over dead sockets': rounds, 'sockets found dead': way.cut() };
    },
  });
}

interface Attempt {
  readonly keepAlive: boolean;
  readonly isCut: () => boolean;
  calls(of: { auth: QelosAuth; server: QelosServer; way: UnsteadyWay }): Promise<Figures>;
}

async function over({ keepAlive, isCut, calls }: Attempt): Promise<Figures> {
  const server = await startQelosServer({ accessTokenSeconds: TOKEN_SECONDS });
  const way = await openUnsteadyWay(Number(new URL(server.url).port), () => (isCut() ? 'cut' : undefined), keepAlive);
  const [user] = server.users;
  const auth = createQelosAuth({
    env: {},
    config: { url: way.url, username: user?.username, password: user?.password },
    axios: { timeout: CALL_TIMEOUT_MS },
  });
  try {
    return await calls({ auth, server, way });
  } finally {
    await auth.close();
    await way.close();
    await server.close();
  }
}

/** What a call has failed of, if it has; any answer but a good one is a failure. */
async function failureOf(auth: QelosAuth): Promise<unknown> {
  try {
    await auth.http.get(ME);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Whether a call failed as its own connection was cut, and not by what it waited for. */
function isCutOff(error: unknown): boolean {
  return isAxiosError(error) && !isAuthError(error) && error.response === undefined && error.code !== 'ECONNABORTED';
}

function kindOf(error: unknown): string {
  if (isAuthError(error)) return error.code;
  return isAxiosError(error) ? `${error.code} ${error.response?.status ?? ''}` : String(error);
}
