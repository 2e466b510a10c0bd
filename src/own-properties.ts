/**
 * A property that somebody gave an object or its class; not one of the prototype that all objects share, where a polluted one
 * would count as a setting of everybody's.
 */
export function given<T extends object, K extends keyof T>(from: T, name: K): T[K] | undefined {
  let holder: object = from;
  for (let next: object | null; !Object.hasOwn(holder, name); holder = next) {
    next = Object.getPrototypeOf(holder);
    if (next === null) break;
    if (Object.getPrototypeOf(next) === null && Object.hasOwn(next, name)) return undefined;
  }
  return from[name];
}

/** What somebody gave as options, and nothing that a polluted `Object.prototype` has under their names. */
export function ownOptions<T extends object>(options: T): T {
  return Object.assign(Object.create(null), options);
}
