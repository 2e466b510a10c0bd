export type { Transport } from '../http/transport';
export { undici } from './undici-transport';
