import { jest } from '@jest/globals';

// Compiling the package for the first time takes a while.
jest.setTimeout(30_000);

export type PluginPlay = typeof import('@qelos/plugin-play');

/** The real package, loaded anew, as it keeps its config and the SDK of `getSdk()` in its modules. It is also made quiet. */
export function loadPlay(): PluginPlay {
  jest.spyOn(console, 'log').mockImplementation(() => {});
  jest.spyOn(console, 'error').mockImplementation(() => {});
  const { setInterval } = globalThis;
  // Its cache looks for what is too old for ever, and would keep the tests from ending.
  const kept = jest.spyOn(globalThis, 'setInterval');
  kept.mockImplementation(((...args: Parameters<typeof setInterval>) => setInterval(...args).unref()) as never);
  let play: PluginPlay | undefined;
  jest.isolateModules(() => {
    play = require('@qelos/plugin-play');
  });
  kept.mockRestore();
  return play as PluginPlay;
}

/** Keeps plugin-play from ending the process. Resolves with the exit code once it would have. */
export function exitCode(): Promise<number> {
  return new Promise((resolve) => {
    jest.spyOn(process, 'exit').mockImplementation(((code: number) => resolve(code)) as never);
  });
}
