import { AuthError, kindOf } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { nameOf } from '../credentials/obtain-errors';
import { BUILT_IN } from './built-in';

/** The strategy that was chosen, and why the ones before it were not. */
export interface Selection {
  readonly strategy: StrategyObject;
  readonly skipped: readonly { name: string; missing: readonly string[] }[];
}

/** Chooses a strategy from configuration, once: the pinned one, else the first that has all the settings it needs. */
export class StrategyResolver {
  readonly #candidates: readonly StrategyObject[];

  /** @param candidates - in the order of preference; the built-in ones are put last */
  constructor(candidates: readonly StrategyObject[]) {
    const rank = (strategy: StrategyObject) => BUILT_IN.findIndex(({ name }) => name === nameOf(strategy));
    this.#candidates = [...candidates].sort((a, b) => rank(a) - rank(b));
  }

  /**
   * @param pinned - the name of the one to use, as `QELOS_AUTH_STRATEGY` gives it
   * @throws AuthError `ERR_AUTH_NO_STRATEGY` that lists what each candidate lacks; `ERR_AUTH_CONFIG` if none has the pinned
   *   name, or two have the same
   */
  resolve(pinned?: string): Selection {
    this.#assertUnique();
    const considered =
      pinned === undefined ? this.#candidates : this.#candidates.filter((candidate) => nameOf(candidate) === pinned);
    if (considered.length === 0) throw this.#unknown(pinned);
    const skipped: { name: string; missing: readonly string[] }[] = [];
    for (const strategy of considered) {
      const missing = missingOf(strategy);
      if (missing.length === 0) return { strategy, skipped };
      skipped.push({ name: nameOf(strategy), missing });
    }
    const list = skipped.map(({ name, missing }) => `- ${name}: ${missing.join(', ')}`).join('\n');
    throw new AuthError(
      'ERR_AUTH_NO_STRATEGY',
      `There is nothing to sign in with. What each strategy lacks:\n${list}`,
      {
        hint: 'Set what one of them lacks (an API token is recommended) and start again.',
      },
    );
  }

  #assertUnique(): void {
    const names = this.#candidates.map(nameOf);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice === undefined) return;
    throw new AuthError('ERR_AUTH_CONFIG', `Two strategies have the name "${twice}".`, {
      hint: 'Give each strategy a name of its own: QELOS_AUTH_STRATEGY and the error messages tell them apart by it.',
    });
  }

  #unknown(pinned: string | undefined): AuthError {
    const names = this.#candidates.map(nameOf).join(', ');
    return new AuthError('ERR_AUTH_CONFIG', `QELOS_AUTH_STRATEGY names no strategy that is registered.`, {
      hint: `Set it to one of: ${names}; or remove it. (Its value has ${pinned?.length ?? 0} characters.)`,
    });
  }
}

function missingOf(strategy: StrategyObject): readonly string[] {
  try {
    return strategy.missing?.() ?? [];
  } catch (error) {
    throw new AuthError(
      'ERR_AUTH_CONFIG',
      `The strategy "${nameOf(strategy)}" threw ${kindOf(error)} from missing().`,
      {
        hint: 'This is a fault in the strategy: missing() returns the names of the settings it lacks and never throws.',
      },
    );
  }
}
