// How strategy classes are made, by whether and how their constructors say what to inject. Prints the outcomes as JSON. Compiled by several compilers,
// as the outcome depends on the type metadata that they emit or leave out.
import { AUTH_CONFIG, AUTH_ENV, type AuthConfig, Credential, createQelosAuth, type Environment } from 'qelos-auth';
import { inject, injectable } from 'tsyringe';

interface Made {
  readonly url?: string;
  readonly key?: string | undefined;
  readonly clock?: string;
  readonly retries?: number;
}

abstract class Own {
  readonly name = 'own';
  readonly made: Made;

  constructor(made: Made) {
    this.made = made;
  }

  missing(): string[] {
    outcome = this.made;
    return [];
  }

  async signIn(): Promise<Credential> {
    return Credential.apiKey('k');
  }
}

class Clock {
  readonly kind: string;

  constructor(kind = 'made by the container') {
    this.kind = kind;
  }
}

@injectable()
class EveryParameter extends Own {
  constructor(@inject(AUTH_CONFIG) { url }: AuthConfig, @inject(AUTH_ENV) env: Environment) {
    super({ url, key: env['OWN_KEY'] });
  }
}

@injectable()
class OptionalParameter extends Own {
  constructor(
    @inject(AUTH_CONFIG) { url }: AuthConfig,
    @inject('clock', { isOptional: true }) clock = new Clock('default'),
  ) {
    super({ url, clock: clock.kind });
  }
}

class DefaultsAlone extends Own {
  constructor(retries = 3, clock: Clock = new Clock('default')) {
    super({ retries, clock: clock.kind });
  }
}

@injectable()
class UnmarkedNumber extends Own {
  constructor(@inject(AUTH_CONFIG) { url }: AuthConfig, retries: number = 3) {
    super({ url, retries });
  }
}

@injectable()
class UnmarkedClass extends Own {
  constructor(@inject(AUTH_CONFIG) { url }: AuthConfig, clock: Clock = new Clock('default')) {
    super({ url, clock: clock.kind });
  }
}

let outcome: Made | string;

function made(Strategy: new (...args: never[]) => Own): Made | string {
  try {
    createQelosAuth({ env: { QELOS_URL: 'https://my.qelos.example', OWN_KEY: 'k' }, strategies: [Strategy] });
    return outcome;
  } catch {
    return 'not made';
  }
}

const all = { EveryParameter, OptionalParameter, DefaultsAlone, UnmarkedNumber, UnmarkedClass };
console.log(JSON.stringify(Object.fromEntries(Object.entries(all).map(([name, Strategy]) => [name, made(Strategy)]))));
