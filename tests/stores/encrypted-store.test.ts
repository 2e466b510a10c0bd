import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { encryptedStore } from '../../src';
import { Credential, serializeCredential } from '../../src/contract/credential';
import { StoredRecordError } from '../../src/credentials/stored-record-error';
import { Managed } from '../credentials/managed';
import { MemoryStore } from '../support/memory-store';
import { expectNoSecret } from '../support/sinks';

const key = () => randomBytes(32).toString('base64');
const { signal } = new AbortController();

const faultOf = async (loading: Promise<unknown>): Promise<string> => {
  try {
    await loading;
    return 'none';
  } catch (error) {
    return error instanceof StoredRecordError ? error.fault : `another: ${String(error)}`;
  }
};

describe('an encrypted store', () => {
  const texts = ['', 'a secret', 'ü'.repeat(5_000)];

  it.each(texts)('gives back what was saved, and holds nothing of it (%#)', async (text) => {
    const inner = new MemoryStore();
    const store = encryptedStore(inner, key());
    expect(await store.save('k', text, { signal, generation: 3 })).toBe(true);
    expect(await store.load('k', { signal })).toEqual({ text, generation: 3 });
    if (text) expect(inner.records.get('k')?.text).not.toContain(text.slice(0, 8));
  });

  it('never writes the same twice', async () => {
    const inner = new MemoryStore();
    const store = encryptedStore(inner, key());
    await store.save('k', 'same', { signal, generation: 1 });
    await store.save('k', 'same', { signal, generation: 2 });
    expect(new Set(inner.texts).size).toBe(2);
    expect(new Set(inner.texts.map((text) => text.split('.')[2]?.slice(0, 16))).size).toBe(2); // the IV
  });

  it('holds a lock where the store can, and has none where it cannot', async () => {
    const inner = new MemoryStore();
    const store = encryptedStore(inner, key());
    expect(await store.lock?.('k', { signal, owner: 'a', leaseMs: 1 })).toBe(true);
    expect(await store.lock?.('k', { signal, owner: 'b', leaseMs: 1 })).toBe(false);
    await store.unlock?.('k', { signal, owner: 'a' });
    expect(inner.locks.size).toBe(0);
    const { load, save } = inner;
    expect(encryptedStore({ load, save }, key()).lock).toBeUndefined();
  });

  it('shows neither key nor text', async () => {
    const secret = key();
    const store = encryptedStore(new MemoryStore(), secret);
    expectNoSecret(store, [secret, Buffer.from(secret, 'base64').toString('hex')]);
  });

  const saved = async (encryptionKey: string) => {
    const inner = new MemoryStore();
    await encryptedStore(inner, encryptionKey).save('k', 'a secret', { signal, generation: 5 });
    return { inner, text: inner.texts[0] as string };
  };

  it('takes every single changed character for tampering', async () => {
    const mine = key();
    const { inner, text } = await saved(mine);
    const store = encryptedStore(inner, mine);
    const seen = new Set<string>();
    for (let at = 0; at < text.length - 1; at++) {
      // the last digit of base64url may hold bits that count for nothing
      const other = text[at] === 'A' ? 'B' : 'A';
      inner.records.set('k', { text: text.slice(0, at) + other + text.slice(at + 1), generation: 5 });
      seen.add(await faultOf(store.load('k', { signal })));
    }
    expect([...seen].sort()).toEqual(['RecordOfAnotherKey', 'RecordUnreadable']);
  });

  it('takes every truncated text for tampering', async () => {
    const mine = key();
    const { inner, text } = await saved(mine);
    for (let length = 0; length < text.length; length++) {
      inner.records.set('k', { text: text.slice(0, length), generation: 5 });
      expect(await faultOf(encryptedStore(inner, mine).load('k', { signal }))).toMatch(/^Record/);
    }
  });

  it('takes no text of another account, and none that is put back under another generation', async () => {
    const mine = key();
    const { inner, text } = await saved(mine);
    inner.records.set('another account', { text, generation: 5 });
    inner.records.set('k', { text, generation: 6 });
    const store = encryptedStore(inner, mine);
    expect(await faultOf(store.load('another account', { signal }))).toBe('RecordUnreadable');
    expect(await faultOf(store.load('k', { signal }))).toBe('RecordUnreadable');
  });

  it('reads what another key of its list wrote, and writes with the first: so keys are replaced', async () => {
    const [old, fresh] = [key(), key()];
    const inner = new MemoryStore();
    const before = encryptedStore(inner, old);
    const meanwhile = encryptedStore(inner, [old, fresh]);
    const after = encryptedStore(inner, [fresh, old]);
    const last = encryptedStore(inner, fresh);
    await before.save('k', 'one', { signal, generation: 1 });
    expect((await after.load('k', { signal }))?.text).toBe('one');
    await after.save('k', 'two', { signal, generation: 2 });
    expect((await meanwhile.load('k', { signal }))?.text).toBe('two');
    expect((await last.load('k', { signal }))?.text).toBe('two');
    expect(await faultOf(before.load('k', { signal }))).toBe('RecordOfAnotherKey');
  });

  it.each([
    ['hexadecimal', (bytes: Buffer) => bytes.toString('hex')],
    ['base64', (bytes: Buffer) => bytes.toString('base64')],
    ['base64url', (bytes: Buffer) => bytes.toString('base64url')],
    ['surrounded by blanks', (bytes: Buffer) => ` ${bytes.toString('base64')}\n`],
  ])('knows a key as %s', async (_name, print) => {
    const bytes = randomBytes(32);
    const inner = new MemoryStore();
    await encryptedStore(inner, print(bytes)).save('k', 'text', { signal, generation: 1 });
    expect((await encryptedStore(inner, bytes.toString('hex')).load('k', { signal }))?.text).toBe('text');
  });

  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['no list', []],
    ['one that is too short', randomBytes(16).toString('hex')],
    ['one that is too long', randomBytes(33).toString('base64')],
    ['a password', 'correct horse battery staple, thirty-two bytes'],
    ['one of a list', [key(), 'short']],
  ])('refuses %s at once, without showing it', (_name, given) => {
    let failure: unknown;
    try {
      encryptedStore(new MemoryStore(), given as string);
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringContaining('QELOS_AUTH_STORE_KEY'),
    });
    if (typeof given === 'string' && given) expectNoSecret(failure, [given]);
  });
});

describe('what cannot be read', () => {
  it.each(['tampered', 'of another key'])('counts as absent, is told, and is replaced (%s)', async (how) => {
    const mine = key();
    const inner = new MemoryStore();
    const sibling = serializeCredential(Credential.bearer('of-a-sibling', { refreshToken: 'r' }));
    await encryptedStore(inner, how === 'tampered' ? mine : key()).save('scripted', sibling, { signal, generation: 7 });
    const record = inner.records.get('scripted');
    if (how === 'tampered')
      inner.records.set('scripted', { text: `${record?.text}A`.replace('.', '..'), generation: 7 });
    const { manager, strategy, told } = new Managed({ store: encryptedStore(inner, mine) });
    const own = Credential.bearer('own', { refreshToken: 'own' });
    strategy.signInSteps.push(() => own);
    expect(await manager.get()).toBe(own);
    expect(strategy.asked).toEqual(['sign-in']);
    const reason = how === 'tampered' ? 'RecordUnreadable' : 'RecordOfAnotherKey';
    expect(told[0]).toEqual(['storeFailed', { operation: 'load', reason }]);
    expect(inner.records.get('scripted')?.generation).toBe(8);
    expect(await new Managed({ store: encryptedStore(inner, mine) }).manager.get()).toMatchObject({
      refreshToken: own.refreshToken,
    });
  });
});
