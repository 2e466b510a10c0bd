import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Takes away at once all that nobody holds. What was looked at through a WeakRef in this turn of the event loop stays. */
export const collectGarbage = runInNewContext('gc') as () => void;
