import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AppendLog, readLog } from '../../../dev/kv/append-log.ts';
import { openEmbeddedEngine } from '../../../dev/kv/embedded-engine.ts';
import { type Change, KeptData } from '../../../dev/kv/kept-data.ts';
import { temporaryDirectory } from './each-engine.ts';

const put = (key: string, value: string): Change => ['put', key, 'string', null, [['', value]], []];

async function logWith(path: string, ...changes: Change[]): Promise<void> {
  const log = await AppendLog.open({ path, snapshot: () => [] });
  for (const change of changes) await log.keep([change]);
  await log.close();
}

test('a last line torn at any byte costs that line and no other', async () => {
  const path = join(temporaryDirectory(), 'log');
  await logWith(path, put('a', '1'), put('b', '2'), put('c', 'ü\n3'));
  const whole = readFileSync(path);
  const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1;
  for (let length = lastLine; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    expect(await readLog(path)).toEqual([put('a', '1'), put('b', '2')]);
  }
  writeFileSync(
    path,
    Buffer.concat([whole.subarray(0, whole.length - 5), Buffer.alloc(4), Buffer.from('\n')]),
  );
  expect(await readLog(path)).toHaveLength(2);
});

test('an engine whose log is torn starts, keeps the rest and goes on writing', async () => {
  const dataDirectory = temporaryDirectory();
  const path = join(dataDirectory, 'embedded.log');
  const first = await openEmbeddedEngine({ dataDirectory });
  await first.execute([['SET', 'a', '1']], { atomic: false });
  await first.execute(
    [
      ['SET', 'b', '1'],
      ['SET', 'c', '1'],
    ],
    { atomic: true },
  );
  await first.close();
  truncateSync(path, statSync(path).size - 3);
  const second = await openEmbeddedEngine({ dataDirectory });
  expect(
    await second.execute(
      [
        ['EXISTS', 'a'],
        ['EXISTS', 'b', 'c'],
      ],
      { atomic: false },
    ),
  ).toEqual([1, 0]);
  await second.execute([['SET', 'd', '1']], { atomic: false });
  await second.close();
  const third = await openEmbeddedEngine({ dataDirectory });
  expect(await third.execute([['EXISTS', 'a', 'b', 'd']], { atomic: false })).toEqual([2]);
  await third.close();
});

test('damage before the last line is refused, and the file left as it is', async () => {
  const dataDirectory = temporaryDirectory();
  const path = join(dataDirectory, 'embedded.log');
  await logWith(path, put('a', '1'), put('b', '2'));
  const damaged = readFileSync(path, 'latin1').replace('"a"', '"A"');
  writeFileSync(path, damaged, 'latin1');
  await expect(openEmbeddedEngine({ dataDirectory })).rejects.toThrow(/embedded\.log is damaged at byte \d+/);
  expect(readFileSync(path, 'latin1')).toBe(damaged);
  writeFileSync(path, 'something else\n');
  await expect(openEmbeddedEngine({ dataDirectory })).rejects.toThrow(/is not a log of this KV/);
});

test('a new log that was not finished when the power went is not taken for the log', async () => {
  const dataDirectory = temporaryDirectory();
  const path = join(dataDirectory, 'embedded.log');
  await logWith(path, put('a', '1'));
  writeFileSync(`${path}.new`, 'half a l');
  const engine = await openEmbeddedEngine({ dataDirectory });
  expect(await engine.execute([['GET', 'a']], { atomic: false })).toEqual([Buffer.from('1')]);
  await engine.close();
  expect(readdirSync(dataDirectory)).not.toContain('embedded.log.new');
});

test('only the owner can read the log, also after it was written anew', async () => {
  const path = join(temporaryDirectory(), 'log');
  const log = await AppendLog.open({ path, snapshot: () => [put('a', 'b')], minRewriteBytes: 0 });
  for (let i = 0; i < 20; i++) await log.keep([put('a', String(i))]);
  await log.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a log of one key written over and over stays small and says the last value', async () => {
  const path = join(temporaryDirectory(), 'log');
  const data = new KeptData();
  const log = await AppendLog.open({ path, snapshot: () => data.asChanges(), minRewriteBytes: 2_000 });
  const keep = (change: Change) => {
    data.apply(change);
    return log.keep([change]);
  };
  await keep(put('other', 'stays'));
  for (let i = 0; i < 50; i++) {
    await Promise.all(Array.from({ length: 10 }, (_, j) => keep(put('key', `value ${i} ${j}`))));
    expect(statSync(path).size).toBeLessThan(3_000);
  }
  await log.close();
  const restored = new KeptData();
  for (const change of await readLog(path)) restored.apply(change);
  expect([...restored.asChanges()]).toEqual([put('other', 'stays'), put('key', 'value 49 9')]);
});

test('a write is acknowledged only when the disk has it, and so is a read that saw it', async () => {
  const path = join(temporaryDirectory(), 'log');
  const log = await AppendLog.open({ path, snapshot: () => [] });
  const handle = await open(path);
  let diskHasIt = () => {};
  const disk = new Promise<void>((resolve) => {
    diskHasIt = resolve;
  });
  const datasync = vi.spyOn(Object.getPrototypeOf(handle), 'datasync').mockReturnValue(disk);
  onTestFinished(() => datasync.mockRestore());
  const acknowledged: string[] = [];
  const write = log.keep([put('a', '1')]).then(() => acknowledged.push('write'));
  const read = log.keep([]).then(() => acknowledged.push('read'));
  await expect.poll(() => datasync.mock.calls.length).toBe(1);
  expect(acknowledged).toEqual([]);
  diskHasIt();
  await Promise.all([write, read]);
  await log.close();
  await handle.close();
});

test('after a write that failed nothing is answered any more, reads neither', async () => {
  const log = await AppendLog.open({ path: join(temporaryDirectory(), 'log'), snapshot: () => [] });
  await log.close();
  await expect(log.keep([put('a', '1')])).rejects.toThrow(/cannot write its log/);
  await expect(log.keep([])).rejects.toThrow(/cannot write its log/);
});
