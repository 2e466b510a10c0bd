import { start } from '@qelos/plugin-play';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { createQelosAuth } from '../../../src';

/** A plugin that has changed its two lines. It goes on until it is stopped, or ends by itself. */
const auth = createQelosAuth();
start({ config: { port: 0, host: '127.0.0.1', ...pluginPlayOptions(auth) } });
