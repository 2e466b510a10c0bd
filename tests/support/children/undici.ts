import { subscribe } from 'node:diagnostics_channel';
import axios from 'axios';
import { undici } from 'qelos-auth/undici';

/** Asks twice over undici, says how it went, and has nothing more to do. */
async function main(): Promise<void> {
  const { url } = JSON.parse(process.argv[2] as string);
  let overUndici = 0;
  subscribe('undici:request:create', () => {
    overUndici += 1;
  });
  const get = () => axios.get(`${url}/0/u`, { maxRedirects: 0, proxy: false, transport: undici() });
  const { status } = await get();
  await get();
  process.on('exit', () => console.log(JSON.stringify({ status, overUndici, seconds: process.uptime() })));
}

main();
