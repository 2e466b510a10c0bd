// A plugin on @qelos/plugin-play. Without QELOS_URL it starts embedded Qelos servers, has itself called by them, and ends.
//
// With QELOS_URL it serves that instance until it is stopped: QELOS_API_TOKEN, or QELOS_USERNAME and QELOS_PASSWORD, say as
// whom; PORT, APP_URL, ACCESS_TOKEN_SECRET, REFRESH_TOKEN_SECRET and USER_PAYLOAD_SECRET are plugin-play's own settings.
import { demonstrate } from './demo';
import { startPlugin } from './plugin';

async function main(): Promise<void> {
  if (process.env['QELOS_URL'] || process.env['QELOS_APP_URL']) {
    await startPlugin();
    return;
  }
  const isWell = await demonstrate();
  process.exit(isWell ? 0 : 1); // plugin-play's cache has a timer that never ends
}

void main();
