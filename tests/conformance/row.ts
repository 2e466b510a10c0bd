import { expect } from '@jest/globals';
import type { WireAnswer, WireRequest } from './wire';
import type { World } from './world';

/** What a row takes beside an admin's password. */
export type Need =
  /** The handle of the embedded server. */
  | 'control'
  /** Users may create workspaces, without labels. */
  | 'workspaces'
  /** Users may create API tokens. */
  | 'api-tokens'
  /** There is a gateway, and it is reached directly: a proxy in front would not let a foreign `Host` through. */
  | 'gateway'
  /** A blueprint whose entities an admin may list. */
  | 'blueprint';

/** An answer as recorded. Media types are compared; a null type is an answer that names none. */
export interface Recorded {
  readonly status: number;
  readonly type: 'application/json' | 'text/html' | 'text/plain' | null;
  /** The body to the byte: JSON, or nothing at all. */
  readonly exact?: unknown;
  /** The body's keys and the form of their values: matchers stand for what differs from one server to the next. */
  readonly shape?: unknown;
}

/** How many of the requests sent at once get which status: at least, at most. */
type Tally = Readonly<Record<number, readonly [min: number, max: number]>>;

interface Base<Given> {
  readonly id: string;
  readonly section: string;
  readonly title: string;
  readonly needs?: readonly Need[];
  /** What has to be there before. */
  readonly given?: (world: World) => Promise<Given>;
  /** What else holds afterwards. */
  readonly also?: (seen: { answers: readonly WireAnswer[]; given: Given; world: World }) => unknown;
}

interface Single<Given> extends Base<Given> {
  readonly request: (given: Given) => WireRequest;
  readonly answer: Recorded;
}

interface AtOnce<Given> extends Base<Given> {
  /** All sent at the same time. */
  readonly requests: (given: Given) => readonly WireRequest[];
  readonly tally: Tally;
  /** What each answer of a status looks like. */
  readonly answers: readonly Recorded[];
}

/** A row of the recording, ready to be held against a server. */
export interface Row extends Pick<Base<never>, 'id' | 'section' | 'title'> {
  readonly needs: readonly Need[];
  hold(world: World): Promise<void>;
}

export function row<Given = undefined>(recorded: Single<Given> | AtOnce<Given>): Row {
  const { id, section, title, needs = [] } = recorded;
  return {
    id,
    section,
    title,
    needs,
    async hold(world) {
      // A row without `given` has no use for its value either.
      const given = (await recorded.given?.(world)) as Given;
      const requests = 'requests' in recorded ? recorded.requests(given) : [recorded.request(given)];
      const answers = await Promise.all(requests.map((request) => world.send(request)));
      if ('requests' in recorded) {
        expectTally(answers, recorded.tally);
        for (const answer of answers) {
          const expected = recorded.answers.find(({ status }) => status === answer.status);
          if (expected !== undefined) expectAnswer(answer, expected);
        }
      } else {
        for (const answer of answers) expectAnswer(answer, recorded.answer);
      }
      await recorded.also?.({ answers, given, world });
    },
  };
}

function expectAnswer({ status, headers, text }: WireAnswer, expected: Recorded): void {
  expect({ status, type: headers['content-type']?.split(';')[0] ?? null }).toEqual({
    status: expected.status,
    type: expected.type,
  });
  if ('exact' in expected) expect(text).toBe(expected.exact === '' ? '' : JSON.stringify(expected.exact));
  if ('shape' in expected) expect(JSON.parse(text)).toEqual(expected.shape);
}

function expectTally(answers: readonly WireAnswer[], tally: Tally): void {
  const counts = new Map<number, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  for (const status of counts.keys()) expect(Object.keys(tally)).toContain(String(status));
  for (const [status, [min, max]] of Object.entries(tally)) {
    const count = counts.get(Number(status)) ?? 0;
    expect({ status, count, within: count >= min && count <= max }).toEqual({ status, count, within: true });
  }
}
