import type { Agent, ClientRequest } from 'node:http';
import type { AxiosRequestConfig } from 'axios';

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
