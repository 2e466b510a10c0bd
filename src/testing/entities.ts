import { objectId, TENANT } from './accounts';
import type { Caller } from './authentication';
import { serverNow } from './server-clock';

/** An entity as the service shows it; `id` is `identifier` once more. */
export interface Entity {
  readonly tenant: string;
  readonly identifier: string;
  readonly user: string;
  readonly workspace?: string | undefined;
  readonly blueprint: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly indexes: readonly string[];
  readonly created: Date;
  readonly updated: Date;
  readonly id: string;
}

/**
 * The entities of all blueprints, in memory. Every blueprint exists, takes any metadata, and lets every signed-in user
 * do everything: a schema and permissions of its own are what makes a blueprint, and no part of authentication.
 */
export class Entities {
  readonly #byBlueprint = new Map<string, Map<string, Entity>>();

  list(blueprint: string): Entity[] {
    return [...this.#of(blueprint).values()];
  }

  get(blueprint: string, identifier: string): Entity | undefined {
    return this.#of(blueprint).get(identifier);
  }

  create(blueprint: string, metadata: object, { claims }: Caller): Entity {
    const identifier = objectId();
    const now = new Date(serverNow());
    const entity: Entity = {
      tenant: TENANT,
      identifier,
      user: claims.sub,
      workspace: claims.workspace?._id,
      blueprint,
      metadata: { ...metadata },
      indexes: [],
      created: now,
      updated: now,
      id: identifier,
    };
    this.#of(blueprint).set(identifier, entity);
    return entity;
  }

  update(entity: Entity, metadata: object): Entity {
    const updated = { ...entity, metadata: { ...entity.metadata, ...metadata }, updated: new Date(serverNow()) };
    this.#of(entity.blueprint).set(entity.identifier, updated);
    return updated;
  }

  delete(entity: Entity): void {
    this.#of(entity.blueprint).delete(entity.identifier);
  }

  #of(blueprint: string): Map<string, Entity> {
    let entities = this.#byBlueprint.get(blueprint);
    if (entities === undefined) {
      entities = new Map();
      this.#byBlueprint.set(blueprint, entities);
    }
    return entities;
  }
}
