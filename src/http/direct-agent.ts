import { Agent } from 'node:http';

/**
 * What plain `http:` is sent by where nobody names an agent: it connects to the origin itself. Node's global agent may not:
 * programs replace it by one that goes through a proxy, and `NODE_USE_ENV_PROXY` makes it one; a proxy would read the
 * credential. The options are those of the global agent (documentation of `http.globalAgent`).
 */
export const directAgent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 5_000 });
