import { describe, expect, it } from '@jest/globals';
import { type Pooled, TenantPool } from '../../src/tenants/tenant-pool';
import { collectGarbage } from '../support/garbage';

interface Entry extends Pooled<Entry> {
  readonly id: string;
}

let visits = 0;

/** An entry that counts how often it is looked at. */
function entry(id: string): Entry {
  return new Proxy<Entry>(
    { id, older: undefined, newer: undefined },
    {
      get(target, key) {
        visits++;
        return Reflect.get(target, key);
      },
      set(target, key, value) {
        visits++;
        return Reflect.set(target, key, value);
      },
    },
  );
}

/** The names in a pool, those that had to make room and are still known to the test included. */
const kept = (pool: TenantPool<Entry>, entries: Entry[]) => {
  // What had to make room comes after all that is kept.
  const all = pool.all().slice(0, pool.size);
  return entries.filter((one) => all.includes(one)).map(({ id }) => id);
};

function filled(
  max: number,
  ...ids: string[]
): { pool: TenantPool<Entry>; entries: Entry[]; of: (id: string) => Entry } {
  const pool = new TenantPool<Entry>(max);
  const entries = ids.map(entry);
  for (const one of entries) pool.add(one);
  return { pool, entries, of: (id) => entries.find((one) => one.id === id) as Entry };
}

describe('the one used longest ago makes room', () => {
  it.each<[string, string[], string[]]>([
    ['none was used', [], ['c', 'd', 'e']],
    ['the oldest was used', ['a'], ['a', 'd', 'e']],
    ['the newest was used', ['c'], ['c', 'd', 'e']],
    ['one in the middle was used', ['b'], ['b', 'd', 'e']],
    ['all were used, in the other order', ['c', 'b', 'a'], ['a', 'd', 'e']],
    ['one was used twice', ['a', 'b', 'a'], ['a', 'd', 'e']],
  ])('%s', (_name, uses, expected) => {
    const { pool, entries, of } = filled(3, 'a', 'b', 'c');
    for (const id of uses) pool.use(of(id));
    for (const id of ['d', 'e']) {
      entries.push(entry(id));
      pool.add(entries.at(-1) as Entry);
    }
    expect(kept(pool, entries)).toEqual(expected);
  });

  it('and is found as long as it is in use elsewhere; used again, it comes back', () => {
    const { pool, entries, of } = filled(2, 'a', 'b', 'c');
    expect(pool.find('a')).toBe(of('a'));
    expect(kept(pool, entries)).toEqual(['b', 'c']);
    pool.use(of('a'));
    expect(kept(pool, entries)).toEqual(['a', 'c']);
    expect(pool.size).toBe(2);
    expect(pool.all()).toHaveLength(3);
  });

  it('what was removed stays so, also when it is used or released again', () => {
    const { pool, of } = filled(2, 'a', 'b', 'c');
    pool.pin(of('b'));
    for (const id of ['a', 'b']) pool.remove(of(id));
    pool.use(of('a'));
    pool.unpin(of('b'));
    expect([pool.find('a'), pool.find('b'), pool.size]).toEqual([undefined, undefined, 1]);
    const successor = entry('b');
    pool.add(successor);
    pool.use(of('b'));
    pool.unpin(of('b'));
    for (const id of ['d', 'e']) {
      pool.use(successor);
      pool.add(entry(id)); // c, then d makes room
    }
    expect(pool.find('b')).toBe(successor);
    pool.remove(of('b'));
    expect(pool.all().slice(0, pool.size)).toEqual([successor, pool.find('e')]);
  });
});

describe('the garbage collector', () => {
  const turn = () => new Promise(setImmediate);

  it('takes what had to make room and is in use no more', async () => {
    const pool = new TenantPool<Entry>(1);
    for (const id of ['a', 'b', 'c']) pool.add(entry(id));
    await turn();
    collectGarbage();
    expect([pool.find('a'), pool.find('b')]).toEqual([undefined, undefined]);
    expect(pool.all().map(({ id }) => id)).toEqual(['c']);
  });

  it('harms no successor that had to make room before it was told', async () => {
    const pool = new TenantPool<Entry>(1);
    for (const id of ['a', 'b']) pool.add(entry(id));
    await turn();
    collectGarbage();
    const successor = entry('a');
    pool.add(successor);
    pool.add(entry('c'));
    for (let i = 0; i < 5; i++) await turn();
    expect(pool.find('a')).toBe(successor);
  });
});

describe('a pinned one stays', () => {
  it('beyond the limit, and no longer than it is pinned; then it is the one used last', () => {
    const { pool, entries, of } = filled(2, 'a', 'b');
    pool.pin(of('a'));
    entries.push(entry('c'), entry('d'));
    for (const id of ['c', 'd']) pool.add(of(id));
    expect(kept(pool, entries)).toEqual(['a', 'd']);
    pool.pin(of('d'));
    entries.push(entry('e'));
    pool.add(of('e'));
    expect(kept(pool, entries)).toEqual(['a', 'd', 'e']); // whoever has just come does not have to go at once
    pool.use(of('a'));
    pool.unpin(of('a'));
    expect(kept(pool, entries)).toEqual(['a', 'd']);
    pool.unpin(of('d'));
    expect(pool.size).toBe(2);
  });
});

describe('S08 the steps of an operation', () => {
  /** A burst: all come and are pinned before the first is released. */
  function burst(count: number, max: number): number {
    const pool = new TenantPool<Entry>(max);
    const entries = Array.from({ length: count }, (_, i) => entry(String(i)));
    visits = 0;
    for (const one of entries) {
      pool.add(one);
      pool.pin(one);
      pool.use(one);
    }
    expect(pool.size).toBe(count);
    for (const one of entries) {
      pool.unpin(one);
      pool.use(one);
    }
    expect(pool.size).toBe(max);
    return visits;
  }

  it.each([
    [1_000, 100],
    [40_000, 10_000],
    [40_000, 1],
  ])('are as few with %i entries as with ten, in a burst over a limit of %i', (count, max) => {
    const each = burst(10, 1) / 10;
    expect(each).toBeGreaterThan(5); // it did count something
    expect(burst(count, max) / count).toBeLessThanOrEqual(each * 1.5);
  });

  it('are as few in a pool that is full and turns over', () => {
    const turnOver = (max: number) => {
      const entries = Array.from({ length: 4 * max }, (_, i) => entry(String(i)));
      const pool = new TenantPool<Entry>(max);
      visits = 0;
      for (const one of entries) pool.add(one);
      for (const one of pool.all().slice(0, max)) pool.use(one);
      return visits / entries.length;
    };
    expect(turnOver(10_000)).toBeLessThanOrEqual(turnOver(10) * 1.5);
  });
});
