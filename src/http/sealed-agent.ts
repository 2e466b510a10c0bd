import type { Agent, ClientRequest } from 'node:http';
import type { AxiosRequestConfig } from 'axios';
import { OF_CREDENTIALS } from '../contract/credential';
import { directAgent } from './direct-agent';
import type { Origin } from './origin';

/** What Node's client asks an agent for, and its types do not name. */
type UsableAgent = Agent & {
  addRequest(request: ClientRequest, ...rest: unknown[]): void;
  readonly defaultPort?: number;
  readonly protocol?: string;
  readonly keepAlive?: boolean;
};

let agentOf: (sealed: SealedAgent) => UsableAgent;

/** One stand-in for an agent, so that whoever compares two configs finds the same in both. */
const sealedAgents = new WeakMap<object, SealedAgent>();

/**
 * Stands in for an agent where a config can be seen. An agent leads to its sockets, they to the requests in flight, and
 * these to the credentials of other calls. It works like the agent behind it, also in the hands of `node:http` itself.
 */
class SealedAgent {
  readonly #agent: UsableAgent;

  static {
    agentOf = (sealed) => sealed.#agent;
  }

  constructor(agent: UsableAgent) {
    this.#agent = agent;
  }

  get defaultPort(): number | undefined {
    return this.#agent.defaultPort;
  }

  get protocol(): string | undefined {
    return this.#agent.protocol;
  }

  get keepAlive(): boolean | undefined {
    return this.#agent.keepAlive;
  }

  get maxSockets(): number {
    return this.#agent.maxSockets;
  }

  addRequest(request: ClientRequest, ...rest: unknown[]): void {
    this.#agent.addRequest(request, ...rest);
  }

  destroy(): void {
    this.#agent.destroy();
  }
}

/** One for an agent, as axios keeps what it makes of one by its identity. */
const loyalAgents = new WeakMap<object, object>();

/**
 * The agent for a request that carries our credential. Agents with a cookie jar put the session of whoever it belongs to
 * beside that, and Qelos would act for them: a cookie counts before a bearer token.
 */
function loyal(agent: UsableAgent): object {
  const known = loyalAgents.get(agent);
  if (known) return known;
  const addRequest = (request: ClientRequest, ...rest: unknown[]) => {
    const { setHeader } = request;
    request.setHeader = (name, value) =>
      OF_CREDENTIALS.has(name.toLowerCase()) ? request : setHeader.call(request, name, value);
    agent.addRequest(request, ...rest);
  };
  const made = new Proxy(agent, {
    get: (target, name) => (name === 'addRequest' ? addRequest : Reflect.get(target, name, target)),
  });
  loyalAgents.set(agent, made);
  return made;
}

/** Where a config may hold agents. */
type WithAgents = Pick<AxiosRequestConfig, 'httpAgent' | 'httpsAgent'>;

/**
 * Puts stand-ins in the place of a config's agents.
 *
 * @returns the function that puts the agents back, unless somebody else has changed them meanwhile
 */
export function sealAgents(config: WithAgents): () => void {
  const isHttpSealed = seal(config, 'httpAgent');
  const isHttpsSealed = seal(config, 'httpsAgent');
  return () => {
    if (isHttpSealed) config.httpAgent = unsealed(config.httpAgent);
    if (isHttpsSealed) config.httpsAgent = unsealed(config.httpsAgent);
  };
}

/** The agent behind a stand-in; anything else as it is. */
export function unsealed(agent: unknown): unknown {
  return agent instanceof SealedAgent ? agentOf(agent) : agent;
}

/** Has what will be sent with a credential go to the origin itself, and by agents that add no other credential. */
export function connectTo(origin: Origin, config: WithAgents & Pick<AxiosRequestConfig, 'proxy'>): void {
  for (const name of ['httpAgent', 'httpsAgent'] as const) {
    const agent = unsealed(config[name]);
    if (typeof agent === 'object' && agent !== null) config[name] = loyal(agent as UsableAgent);
  }
  if (!origin.isPlain) return;
  config.proxy = false; // a proxy would read the credential
  config.httpAgent ??= directAgent;
}

function seal(config: WithAgents, name: keyof WithAgents): boolean {
  const agent: unknown = config[name];
  if (typeof agent !== 'object' || agent === null || agent instanceof SealedAgent) return false;
  let sealed = sealedAgents.get(agent);
  if (!sealed) {
    sealed = new SealedAgent(agent as UsableAgent);
    sealedAgents.set(agent, sealed);
  }
  config[name] = sealed;
  return true;
}
