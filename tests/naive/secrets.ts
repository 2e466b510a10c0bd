/** Looks for secrets like the fault tests do, but does not go on to print everything once one was found: that takes minutes. */
import * as thorough from '../../tests/support/secrets';

export const { reachableSecrets } = thorough;

export const leaks: typeof thorough.leaks = (value, secrets) => {
  const found = reachableSecrets(value, secrets);
  return found.length > 0 ? found : thorough.leaks(value, secrets);
};
