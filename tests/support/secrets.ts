import { sinksOf } from './sinks';

/** Everything that can be reached from a value, however hidden, that holds one of the secrets: by path. */
export function reachableSecrets(root: unknown, secrets: readonly string[]): string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const queue: [path: string, value: unknown][] = [['', root]];
  const check = (path: string, text: string) => {
    if (secrets.some((secret) => text.includes(secret))) found.push(path);
  };
  while (queue.length > 0 && seen.size < 200_000) {
    const [path, value] = queue.shift() as [string, unknown];
    if (typeof value === 'string') {
      check(path, value);
      continue;
    }
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value === globalThis || value === process || value === process.env) continue;
    if (ArrayBuffer.isView(value)) {
      check(path, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1'));
      continue;
    }
    if (value instanceof Map) {
      let i = 0;
      for (const [key, item] of value) {
        queue.push([`${path}<key ${i}>`, key], [`${path}<value ${i}>`, item]);
        i++;
      }
    }
    if (value instanceof Set) {
      for (const item of value) queue.push([`${path}<item>`, item]);
    }
    for (const key of Reflect.ownKeys(value)) {
      check(`${path}.${String(key)} (name)`, String(key));
      const descriptor = Reflect.getOwnPropertyDescriptor(value, key);
      queue.push([`${path}.${String(key)}`, descriptor?.get ? read(value, key) : descriptor?.value]);
      if (descriptor?.get) queue.push([`${path}.get ${String(key)}`, descriptor.get]);
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype) {
      queue.push([`${path}.__proto__`, prototype]);
      // Getters of a class answer on its instances only.
      for (let level = prototype; level; level = Object.getPrototypeOf(level)) {
        for (const key of Reflect.ownKeys(level)) {
          if (key === '__proto__') continue;
          const { get } = Reflect.getOwnPropertyDescriptor(level, key) ?? {};
          if (get) queue.push([`${path}.${String(key)}`, read(value, key)]);
        }
      }
    }
  }
  return found;
}

function read(value: object, key: PropertyKey): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return undefined;
  }
}

/** Where a value leads to a secret: by property, and by every sink. */
export function leaks(value: unknown, secrets: readonly string[]): string[] {
  const printed = Object.entries(sinksOf(value))
    .filter(([, text]) => secrets.some((secret) => text.includes(secret)))
    .map(([sink]) => `printed by ${sink}`);
  return [...reachableSecrets(value, secrets), ...printed];
}
