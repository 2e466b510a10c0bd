import { describe, expect, it } from '@jest/globals';
import type PublishedSDK from '@qelos/sdk/administrator';
import type { QelosAdministratorSDK } from '../../src/sdk/qelos-sdk.types';

type Undeclared<Published, Declared> = Exclude<keyof Published, keyof Declared>;
/** The same within each module: the members of `blocks`, `users`, … */
type UndeclaredInModules<Published, Declared> = {
  [M in keyof Published & keyof Declared]: Undeclared<Published[M], Declared[M]>;
}[keyof Published & keyof Declared];

/** Fails the type check when `T` is inhabited; the error names what is left over. */
const nothingLeft = <T extends never>(left?: T): boolean => left === undefined;

describe('declaration of the SDK', () => {
  // That each declared member exists in the published SDK is proven by createQelosSdk itself, which casts nothing.
  it('declares every public module and method of the published SDK', () => {
    type Entities<SDK extends { blueprints: { entitiesOf(key: string): unknown } }> = ReturnType<
      SDK['blueprints']['entitiesOf']
    >;
    const complete = [
      nothingLeft<Undeclared<PublishedSDK, QelosAdministratorSDK>>(),
      nothingLeft<UndeclaredInModules<PublishedSDK, QelosAdministratorSDK>>(),
      nothingLeft<UndeclaredInModules<PublishedSDK['ai'], QelosAdministratorSDK['ai']>>(),
      nothingLeft<Undeclared<Entities<PublishedSDK>, Entities<QelosAdministratorSDK>>>(),
    ];
    expect(complete).not.toContain(false);
  });
});
