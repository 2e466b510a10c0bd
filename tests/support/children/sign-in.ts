import { createQelosAuth } from '../../../src';

/** Signs in, calls once, says how that went. */
async function main(): Promise<void> {
  const auth = createQelosAuth({ env: {}, config: JSON.parse(process.argv[2] as string) });
  const { strategy, user } = await auth.signIn();
  const { status } = await auth.http.get('/api/me');
  console.log(JSON.stringify({ strategy, username: user.username, status }));
}

main();
