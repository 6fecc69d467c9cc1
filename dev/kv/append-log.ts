// A file of changes, appended to and never changed in place. One line is one write to the disk, so that only
// the last line can be torn by `kill -9` or a power cut, and nothing in a torn line was ever acknowledged.

import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type Change, ChangeSchema } from './kept-data.ts';

const HEADER = 'userkeys kv log 1\n';
const OWNER_ONLY = 0o600;
const CHECKSUM_CHARACTERS = 8;
/** Below this size the log is not worth rewriting. */
const MIN_REWRITE_BYTES = 4 * 1024 * 1024;
/** The log is rewritten when it has grown to this many times its size after the last rewrite. */
const REWRITE_GROWTH = 3;

const LineSchema = z.array(ChangeSchema);

type Waiting = { resolve: () => void; reject: (reason: Error) => void };

/**
 * The changes in `path`, in order; none when there is no such file. A torn last line counts as never written.
 * Throws, with the position, when anything before it is damaged: a log that lost its middle is not quietly
 * half restored.
 */
export async function readLog(path: string): Promise<Change[]> {
  const content = await readFile(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content === undefined) return [];
  if (content.subarray(0, HEADER.length).toString('latin1') !== HEADER) {
    throw new Error(`${path} is not a log of this KV, or of another version of it.`);
  }
  const changes: Change[] = [];
  for (let start = HEADER.length; start < content.length; ) {
    const newline = content.indexOf('\n', start);
    const end = newline === -1 ? content.length : newline;
    const line = newline === -1 ? undefined : parseLine(content.subarray(start, end));
    if (line === undefined) {
      if (end + 1 < content.length) throw new Error(`${path} is damaged at byte ${start}.`);
      break;
    }
    for (const change of line) changes.push(change);
    start = end + 1;
  }
  return changes;
}

export class AppendLog {
  readonly #path: string;
  readonly #snapshot: () => Iterable<Change>;
  readonly #minRewriteBytes: number;
  #file: FileHandle;
  #bytes = 0;
  #bytesAfterRewrite = 0;
  #changes: Change[] = [];
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  private constructor(options: LogOptions, file: FileHandle) {
    this.#path = options.path;
    this.#snapshot = options.snapshot;
    this.#minRewriteBytes = options.minRewriteBytes ?? MIN_REWRITE_BYTES;
    this.#file = file;
  }

  /** A log that begins with what `snapshot` says, in place of the file that was there. */
  static async open(options: LogOptions): Promise<AppendLog> {
    const { file, bytes } = await writeAnew(options.path, options.snapshot());
    const log = new AppendLog(options, file);
    log.#bytes = log.#bytesAfterRewrite = bytes;
    return log;
  }

  /**
   * Resolves when these changes, and all that were handed in before, are on the disk; with no changes it only
   * waits for those before. Calls made while a write is under way share the next one. After a failed write
   * everything rejects: what is in memory is then ahead of what is kept.
   */
  keep(changes: readonly Change[]): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (changes.length === 0 && this.#writing === undefined) return Promise.resolve();
    for (const change of changes) this.#changes.push(change);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      const changes = this.#changes;
      this.#waiting = [];
      this.#changes = [];
      try {
        await this.#write(changes);
      } catch (cause) {
        this.#failure = new Error('The KV cannot write its log; it answers nothing until it is restarted.', {
          cause,
        });
        for (const { reject } of [...waiting, ...this.#waiting]) reject(this.#failure);
        this.#waiting = [];
        break;
      }
      for (const { resolve } of waiting) resolve();
    }
    this.#writing = undefined;
  }

  async #write(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    if (this.#bytes > Math.max(this.#minRewriteBytes, this.#bytesAfterRewrite * REWRITE_GROWTH)) {
      // The snapshot already holds `changes`: they were kept the moment they were made.
      const { file, bytes } = await writeAnew(this.#path, this.#snapshot());
      await this.#file.close();
      this.#file = file;
      this.#bytes = this.#bytesAfterRewrite = bytes;
      return;
    }
    const line = formatLine(changes);
    await this.#file.appendFile(line);
    await this.#file.datasync();
    this.#bytes += line.length;
  }
}

type LogOptions = {
  path: string;
  /** Everything that is kept right now. Read in one go, synchronously. */
  snapshot: () => Iterable<Change>;
  /** Default 4 MiB. */
  minRewriteBytes?: number;
};

/** Writes a whole new log beside the old one and puts it in its place: either is there, never a half. */
async function writeAnew(
  path: string,
  changes: Iterable<Change>,
): Promise<{ file: FileHandle; bytes: number }> {
  const temporary = `${path}.new`;
  const content = Buffer.concat([
    Buffer.from(HEADER),
    ...Array.from(changes, (change) => formatLine([change])),
  ]);
  await rm(temporary, { force: true });
  const file = await open(temporary, 'ax', OWNER_ONLY);
  try {
    await file.writeFile(content);
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await file.close();
    throw error;
  }
  return { file, bytes: content.length };
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
}

function formatLine(changes: readonly Change[]): Buffer {
  const json = Buffer.from(JSON.stringify(changes));
  return Buffer.concat([Buffer.from(`${checksum(json)} `), json, Buffer.from('\n')]);
}

function parseLine(line: Buffer): Change[] | undefined {
  const json = line.subarray(CHECKSUM_CHARACTERS + 1);
  if (line.toString('latin1', 0, CHECKSUM_CHARACTERS) !== checksum(json)) return undefined;
  return LineSchema.parse(JSON.parse(json.toString()));
}

function checksum(json: Buffer): string {
  return crc32(json).toString(16).padStart(CHECKSUM_CHARACTERS, '0');
}
