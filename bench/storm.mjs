/**
 * (c) Expiry storms: so many calls at once whose access token the server has just ceased to accept, while refresh tokens are
 * single-use; beside the same calls without expiry.
 */
import { interleaved, percentile, report, summary } from './measure.mjs';
import { startServer } from './server.mjs';
import { openAll, SUBJECTS } from './subjects.mjs';

/** Ten thousand sockets are more than a process may open. */
const CONNECTIONS = 128;

async function allAtOnce(calls, call) {
  const begun = performance.now();
  const took = [];
  let failed = 0;
  const one = () =>
    call().then(
      () => took.push(performance.now() - begun),
      () => failed++,
    );
  await Promise.all(Array.from({ length: calls }, one));
  return { failed, p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
}

const median = (values) => summary(values).median;

/**
 * `crowds` says how many calls, and of whom: of `all` in each round; of all once, for their counts, and of `ours` in each
 * round; or of `only ours`.
 */
await report(async ({ rounds, crowds }) => {
  const server = await startServer();
  const result = {};
  for (const [crowd, most] of crowds) {
    const all = SUBJECTS.filter(
      ({ credential, ours, hasTransport }) =>
        credential === 'refreshes' && !hasTransport && (ours || most !== 'only ours'),
    );
    // A client that loses its session in a storm starts the next one with a new one.
    const storms = await interleaved(all, most === 'ours' ? 1 : rounds, async (subject) => storm(subject, crowd));
    if (most === 'ours') {
      for (const subject of all.filter(({ ours }) => ours)) {
        const more = await interleaved([subject], rounds - 1, async () => storm(subject, crowd));
        storms.get(subject).push(...more.get(subject));
      }
    }
    result[crowd] = Object.fromEntries(all.map((subject) => [subject.name, summed(storms.get(subject))]));
  }
  server.close();
  return result;

  async function storm(subject, crowd) {
    const [{ call }] = await openAll([subject], server.url, CONNECTIONS);
    await allAtOnce(Math.min(crowd, 1_000), call); // connections are open, code is warm
    const calm = await allAtOnce(crowd, call);
    await server.counts();
    await server.expire();
    const stormy = await allAtOnce(crowd, call);
    const { refreshes, refusedRefreshes, signIns } = await server.counts();
    return { ...stormy, refreshes, refusedRefreshes, signIns, calmP99: calm.p99, p99Ratio: stormy.p99 / calm.p99 };
  }

  /** Of the rounds; a client all of whose calls failed has no times. */
  function summed(rounds) {
    const of = (name) => summary(rounds.map((round) => round[name]));
    const withTimes = rounds.every(({ p99 }) => p99 !== undefined);
    return {
      rounds: rounds.length,
      refreshes: of('refreshes'),
      refusedRefreshes: of('refusedRefreshes'),
      signIns: of('signIns'),
      failed: of('failed'),
      ...(withTimes && {
        p50: of('p50'),
        p99: of('p99'),
        p99Ratio: of('p99Ratio'),
        calmP99: median(rounds.map((r) => r.calmP99)),
      }),
    };
  }
});
