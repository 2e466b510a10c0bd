/** (d) Access tokens that live a second, while 100 callers call again and again. One client after the other: what is counted would suffer from company. */
import { callFor, report } from './measure.mjs';
import { startServer } from './server.mjs';
import { openAll, SUBJECTS } from './subjects.mjs';

const CALLERS = 100;

await report(async ({ seconds, subjects: names }) => {
  const result = {};
  for (const subject of SUBJECTS.filter(({ name }) => names.includes(name))) {
    const server = await startServer({ accessSeconds: 1 });
    // A token may end before the first call that proves the client works is answered: some cannot even be opened then.
    const [{ call }] = await openAll([subject], server.url, CALLERS);
    await server.counts();
    const { calls, failed } = await callFor(seconds * 1_000, CALLERS, call);
    const { refreshes, refusedRefreshes, signIns } = await server.counts();
    const refreshesPerSecond = Math.round((refreshes / seconds) * 100) / 100;
    result[subject.name] = { seconds, calls, failed, refreshes, refreshesPerSecond, refusedRefreshes, signIns };
    server.close();
  }
  return result;
});
