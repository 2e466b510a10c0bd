// Loads the Reflect polyfill before tsyringe, which throws at load time without it. Every module of the library that
// needs tsyringe takes it from here, so that a plugin that never imports the polyfill works all the same.
import 'reflect-metadata';

export { container, type DependencyContainer, type InjectionToken, inject, injectable } from 'tsyringe';
