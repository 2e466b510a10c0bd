import { Readable } from 'node:stream';
import { kindOf } from '../../contract/auth-error';
import { attempt, last } from './judging';
import { NotRun } from './not-run';
import { inWords, type World } from './world';

/** Answers that are not about the credential, whatever the API. */
const OTHER_ANSWERS = [
  ...[400, 404, 409, 422, 429, 500, 503].map((status) => ({ status, data: { message: 'no' } })),
  { status: 401, data: { message: 'you are not privileged.' } },
];

export async function judgeRejected(world: World): Promise<void> {
  const { strategy } = world.subject;
  if (!strategy.isRejected) throw new NotRun('There is no isRejected().');
  for (const { status, data } of OTHER_ANSWERS) {
    const said = `to HTTP status ${status} with ${JSON.stringify(data)}`;
    let result: unknown;
    try {
      result = strategy.isRejected({ status, data, headers: {} });
    } catch (error) {
      throw world.fault(`isRejected() threw ${inWords({ error })} ${said}: return false.`, error);
    }
    if (result !== false)
      throw world.fault(
        `isRejected() returned ${inWords({ value: result })} ${said}: return false, at once, for whatever is not about the credential. What returns true costs a renewal.`,
      );
  }
}

export async function judgeAuthorize(world: World): Promise<void> {
  if (!world.subject.strategy.authorize) throw new NotRun('There is no authorize().');
  const auth = world.open();
  const own = { 'x-of-the-caller': 'kept', accept: 'text/plain' };
  const bytes = Buffer.from('bytes of the caller');
  const stream = Readable.from([bytes]);
  for (const data of ['text of the caller', bytes, stream]) {
    let after: Record<string, unknown> = {};
    const adapter = async (config: { headers: { get(name: string): unknown } }) => {
      after = Object.fromEntries(Object.keys(own).map((name) => [name, config.headers.get(name)]));
      return { status: 200, statusText: 'OK', headers: {}, data: '', config: config as never };
    };
    const sent = attempt(() => auth.http.post('/api/me', data, { headers: own, adapter }));
    const result = await sent;
    const call = last(world, 'authorize');
    if (call.outcome === undefined)
      throw world.fault('authorize() never settled: sign with what the credential holds, and wait for nobody.');
    if ('error' in call.outcome && data !== stream)
      throw world.fault(
        `authorize() failed with ${inWords(call.outcome)} on a body that is ${kindOf(data)}.`,
        call.outcome.error,
      );
    if (call.sent[0])
      throw world.fault(
        `authorize() sent ${call.sent[0].name}: it runs for every request, so obtain what it needs in signIn() and put it into the Credential.`,
      );
    if (call.changed[0])
      throw world.fault(
        `authorize() tried to change ${call.changed[0]}: it may only set headers, with request.headers.`,
      );
    if (result instanceof Error) continue;
    for (const [name, value] of Object.entries(own)) {
      if (after[name] !== value)
        throw world.fault(`authorize() changed ${name}, a header of the caller: set those of the credential only.`);
    }
  }
  if (String(bytes) !== 'bytes of the caller')
    throw world.fault('authorize() changed the bytes of the body: copy what you work on.');
  if (stream.readableDidRead)
    throw world.fault(
      'authorize() read a body that is a stream: nothing is left of it to send. Sign strings and bytes only.',
    );
}
