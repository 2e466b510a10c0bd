/** (b) Requests a second over loopback HTTP at 1, 50 and 500 callers, with a credential that is good throughout. */
import { callFor, interleaved, ratios, report, summary } from './measure.mjs';
import { startServer } from './server.mjs';
import { BARE, openAll, SUBJECTS } from './subjects.mjs';

await report(async ({ rounds, sliceMs }) => {
  const server = await startServer();
  const subjects = await openAll(SUBJECTS, server.url);
  const result = {};
  for (const callers of [1, 50, 500]) {
    await interleaved(subjects, 1, ({ call }) => callFor(sliceMs, callers, call));
    const slices = await interleaved(subjects, rounds, async ({ call, name }) => {
      const { failed, perSecond } = await callFor(sliceMs, callers, call);
      if (failed > 0) throw new Error(`${name}: ${failed} calls failed`);
      return perSecond;
    });
    const base = slices.get(subjects.find(({ name }) => name === BARE));
    result[callers] = Object.fromEntries(
      subjects.map((subject) => [
        subject.name,
        { perSecond: summary(slices.get(subject)), ratio: ratios(slices.get(subject), base) },
      ]),
    );
  }
  server.close();
  return result;
});
