import { format } from 'node:util';

/** Something that was printed, and where. */
export interface Print {
  readonly where: string;
  readonly text: string;
}

/** What can be replaced of an object: its methods that print. */
type Printing = Record<string, (...args: unknown[]) => unknown>;

/**
 * The places where a process prints. The console is one of its own, though Node's writes to stdout and stderr: test runners
 * replace it by theirs.
 */
const placesNow = (): [where: string, object: object, methods: string[]][] => [
  ['stdout', process.stdout, ['write']],
  ['stderr', process.stderr, ['write']],
  ['a process warning', process, ['emitWarning']],
  ['the console', console, ['log', 'info', 'debug', 'warn', 'error', 'trace', 'dir', 'table', 'group']],
];

const readers = new Set<Prints>();
let restore: (() => void)[] = [];

/** Sees what is printed by this process, in any way, and lets it through. */
export class Prints {
  readonly seen: Print[] = [];

  constructor() {
    if (readers.size === 0)
      restore = placesNow().flatMap(([where, object, methods]) => methods.map(watch(where, object)));
    readers.add(this);
  }

  close(): void {
    readers.delete(this);
    if (readers.size > 0) return;
    for (const one of restore) one();
  }
}

/** Has a method tell the readers what it is called with. Returns what ends that. */
function watch(where: string, object: object): (method: string) => () => void {
  const target = object as Printing;
  return (method) => {
    const own = Object.getOwnPropertyDescriptor(target, method);
    const print = target[method] as Printing[string];
    target[method] = (...args) => {
      // As the console words it: %s and the like, objects with what is in them.
      const text = args[0] instanceof Uint8Array ? Buffer.from(args[0]).toString() : format(...args);
      for (const { seen } of readers) seen.push({ where, text });
      return Reflect.apply(print, object, args);
    };
    return () => {
      if (own) Object.defineProperty(target, method, own);
      else delete target[method];
    };
  };
}
