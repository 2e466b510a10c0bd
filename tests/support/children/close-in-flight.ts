import { createQelosAuth } from '../../../src';

/** Begins calls that wait for a sign-in which never ends, closes, and has nothing more to do. */
async function main(): Promise<void> {
  const auth = createQelosAuth({ env: {}, config: JSON.parse(process.argv[2] as string) });
  const calls = [auth.http.get('/api/me'), auth.fetch('/api/me'), auth.sdk.blocks.getList(), auth.signIn()];
  const codes = Promise.all(calls.map((call) => Promise.resolve(call).then(String, ({ code }) => code)));
  setTimeout(() => auth.close(), 50);
  console.log(JSON.stringify(await codes));
}

main();
