import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openEmbeddedEngine } from '../../../dev/kv/embedded-engine.ts';
import type { Command } from '../../../dev/kv/engine.ts';
import { temporaryDirectory } from './each-engine.ts';

const PAGE_BYTES = 4096;
const one = { atomic: false };

async function filled(dataDirectory: string, ...commands: Command[]): Promise<void> {
  const engine = openEmbeddedEngine({ dataDirectory });
  for (const command of commands) await engine.execute([command], one);
  await engine.close();
}

async function read(dataDirectory: string, ...commands: Command[]) {
  const engine = openEmbeddedEngine({ dataDirectory });
  return engine.execute(commands, one).finally(() => engine.close());
}

/** What is on the disk now, as after a power cut: the files of a store that is open, copied. */
function copyOf(dataDirectory: string): string {
  const copy = temporaryDirectory();
  for (const name of ['kv.sqlite', 'kv.sqlite-wal'])
    copyFileSync(join(dataDirectory, name), join(copy, name));
  return copy;
}

test('what is acknowledged is in the files, also without a close', async () => {
  const dataDirectory = temporaryDirectory();
  const engine = openEmbeddedEngine({ dataDirectory });
  onTestFinished(() => engine.close());
  for (let i = 0; i < 5; i++) {
    await engine.execute([['SET', `key ${i}`, '1']], one);
    expect(await read(copyOf(dataDirectory), ['GET', `key ${i}`])).toEqual([Buffer.from('1')]);
  }
});

test('a last write that is torn at any place costs that write, as a whole, and no other', async () => {
  const dataDirectory = temporaryDirectory();
  const engine = openEmbeddedEngine({ dataDirectory });
  onTestFinished(() => engine.close());
  await engine.execute([['SET', 'a', '1']], one);
  const before = statSync(join(dataDirectory, 'kv.sqlite-wal')).size;
  const pair: Command[] = [
    ['SET', 'b', 'x'.repeat(3 * PAGE_BYTES)],
    ['SET', 'c', '1'],
  ];
  await engine.execute(pair, { atomic: true });
  const after = statSync(join(dataDirectory, 'kv.sqlite-wal')).size;
  for (let size = before; size < after; size += 509) {
    const copy = copyOf(dataDirectory);
    truncateSync(join(copy, 'kv.sqlite-wal'), size);
    expect(await read(copy, ['EXISTS', 'a'], ['EXISTS', 'b', 'c'])).toEqual([1, 0]);
    await filled(copy, ['SET', 'd', '1']);
    expect(await read(copy, ['EXISTS', 'a', 'd'])).toEqual([2]);
  }
});

test('a damaged file is refused, and left as it is', async () => {
  const dataDirectory = temporaryDirectory();
  const path = join(dataDirectory, 'kv.sqlite');
  await filled(dataDirectory, ['SET', 'a', 'x'.repeat(3 * PAGE_BYTES)], ['XADD', 'log', '1-1', 'a', '1']);
  const whole = readFileSync(path);
  for (let page = 0; page < whole.length / PAGE_BYTES; page++) {
    const damaged = Buffer.from(whole).fill(0xa5, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    writeFileSync(path, damaged);
    expect(() => openEmbeddedEngine({ dataDirectory })).toThrow(
      /kv\.sqlite is damaged or not the data of this KV/,
    );
    expect(readFileSync(path).equals(damaged)).toBe(true);
  }
  writeFileSync(path, 'something else\n');
  expect(() => openEmbeddedEngine({ dataDirectory })).toThrow(/not the data of this KV/);
});

test('only the owner can read the files, while the store is open too', async () => {
  const dataDirectory = temporaryDirectory();
  const engine = openEmbeddedEngine({ dataDirectory });
  onTestFinished(() => engine.close());
  await engine.execute([['SET', 'a', '1']], one);
  for (const name of ['kv.sqlite', 'kv.sqlite-wal']) {
    expect(statSync(join(dataDirectory, name)).mode & 0o777).toBe(0o600);
  }
});

test('one key written over and over takes no more room, and holds the last value', async () => {
  const dataDirectory = temporaryDirectory();
  const engine = openEmbeddedEngine({ dataDirectory });
  await engine.execute([['SET', 'other', 'stays']], one);
  await Promise.all(
    Array.from({ length: 2_000 }, (_, i) => engine.execute([['SET', 'key', `value ${i}`.repeat(50)]], one)),
  );
  expect(statSync(join(dataDirectory, 'kv.sqlite-wal')).size).toBeLessThan(6_000_000);
  await engine.close();
  expect(statSync(join(dataDirectory, 'kv.sqlite')).size).toBeLessThan(50_000);
  expect(await read(dataDirectory, ['GET', 'other'], ['GET', 'key'])).toEqual([
    Buffer.from('stays'),
    Buffer.from('value 1999'.repeat(50)),
  ]);
});

test('one more entry of a long stream writes that entry, not the stream', async () => {
  const dataDirectory = temporaryDirectory();
  const engine = openEmbeddedEngine({ dataDirectory });
  onTestFinished(() => engine.close());
  const script =
    "for i = 1, 300 do redis.call('XADD', KEYS[1], i .. '-1', 'field', string.rep('x', 100)) end";
  await engine.execute([['EVAL', script, '1', 'log']], one);
  const written = vi.spyOn(Object.getPrototypeOf(new DatabaseSync(':memory:').prepare('SELECT 1')), 'run');
  onTestFinished(() => written.mockRestore());
  await engine.execute([['XADD', 'log', '5000-1', 'field', 'last']], one);
  expect(written.mock.calls.length).toBeLessThan(5);
});

test('a stream that takes the place of another one with the same ids is kept with its own entries', async () => {
  const dataDirectory = temporaryDirectory();
  await filled(
    dataDirectory,
    ['XADD', 'one', '1-1', 'a', 'old'],
    ['XADD', 'two', '1-1', 'a', 'new'],
    ['XADD', 'two', '18446744073709551614-1', 'a', 'last'],
    ['RENAME', 'two', 'one'],
  );
  expect(await read(dataDirectory, ['XRANGE', 'one', '-', '+'])).toEqual([
    [
      [Buffer.from('1-1'), [Buffer.from('a'), Buffer.from('new')]],
      [Buffer.from('18446744073709551614-1'), [Buffer.from('a'), Buffer.from('last')]],
    ],
  ]);
});

test('after a write that failed nothing is answered any more, reads neither', async () => {
  const engine = openEmbeddedEngine({ dataDirectory: temporaryDirectory() });
  onTestFinished(() => engine.close());
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation((sql) => {
    if (sql === 'COMMIT') throw new Error('disk full');
  });
  onTestFinished(() => exec.mockRestore());
  await expect(engine.execute([['SET', 'a', '1']], one)).rejects.toThrow(/cannot write its data/);
  await expect(engine.execute([['GET', 'a']], one)).rejects.toThrow(/cannot write its data/);
});
