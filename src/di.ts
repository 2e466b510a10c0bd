// Loads the Reflect polyfill before tsyringe, which throws at load time without it. Every module of the library that
// needs tsyringe takes it from here, so that a plugin that never imports the polyfill works all the same.
import 'reflect-metadata';
import { type DependencyContainer, type InjectionToken, container as rootContainer } from 'tsyringe';

export { type DependencyContainer, type InjectionToken, inject, injectable } from 'tsyringe';

/** A container of its own, in which tokens stand for values, and which has whatever else the global one has. */
export function containerWith(values: readonly (readonly [InjectionToken, unknown])[]): DependencyContainer {
  const container = rootContainer.createChildContainer();
  for (const [token, value] of values) container.registerInstance(token, value);
  return container;
}
