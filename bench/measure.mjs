/** What the measurements share: rounds in which all take turns, how values are summed up, and how results get to the bench. */

/** Median, minimum and maximum. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted.at(-1) };
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/**
 * Lets subjects take turns, in another order each round, so that whatever else the machine does meets all of them and none
 * suffers each time from what another one has left behind.
 *
 * @template S, V
 * @param {S[]} subjects
 * @param {number} rounds
 * @param {(subject: S, round: number) => Promise<V>} measure one slice of one subject
 * @returns {Promise<Map<S, V[]>>} by subject, one value a round
 */
export async function interleaved(subjects, rounds, measure) {
  const values = new Map(subjects.map((subject) => [subject, []]));
  for (let round = 0; round < rounds; round++) {
    const order = subjects.map((subject) => ({ subject, at: Math.random() })).sort((a, b) => a.at - b.at);
    for (const { subject } of order) values.get(subject).push(await measure(subject));
  }
  return values;
}

/** Ratios of what two were measured at in the same rounds. */
export const ratios = (values, base) => summary(values.map((value, round) => value / base[round]));

/** Calls from so many callers, each of which calls again when it was answered, until the time is up. */
export async function callFor(ms, callers, call) {
  const begun = performance.now();
  const end = begun + ms;
  let calls = 0;
  let failed = 0;
  const caller = async () => {
    while (performance.now() < end) {
      calls++;
      await call().catch(() => failed++);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { calls, failed, perSecond: ((calls - failed) / (performance.now() - begun)) * 1_000 };
}

/** Runs a measurement in the process that was started for it, and hands its result over. */
export async function report(measure) {
  const options = JSON.parse(process.argv[2] ?? '{}');
  const result = await measure(options);
  process.send?.(result, () => process.exit());
  if (!process.send) {
    console.log(JSON.stringify(result, null, 2));
    process.exit();
  }
}
