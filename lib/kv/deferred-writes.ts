import { type CallStart, STOP_IF_ERASED } from './erasure.ts';
import type { Ask } from './kv.ts';

/** A write as Lua, which sees its own `KEYS` and `ARGV`. At most a few thousand of each. */
export type LateWrite = {
  readonly script: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
};

/**
 * Writes about a user that happen after their call was answered, as one command and all or none of them: none when
 * the user was erased since the call began.
 */
export function lateWrites(start: CallStart, writes: readonly LateWrite[]): Ask<void> {
  const parts = writes.map(({ script }) => `run(function(KEYS, ARGV)\n${script}\nend)`);
  return {
    commands: 1,
    add(batch) {
      batch.eval(
        [STOP_IF_ERASED, RUN_PART, ...parts, 'return 1'].join('\n'),
        [...writes.flatMap(({ keys }) => keys), start.markKey],
        [
          ...writes.flatMap(({ keys, args }) => [String(keys.length), String(args.length), ...args]),
          String(start.atMs),
        ],
      );
    },
    read: () => undefined,
  };
}

/** How many keys and arguments a part has stands before its arguments, so that the text of a script never varies. */
const RUN_PART = `
local nextKey, nextArgument = 1, 1
local function run(part)
  local keys, args = tonumber(ARGV[nextArgument]), tonumber(ARGV[nextArgument + 1])
  local first = nextArgument + 2
  part({unpack(KEYS, nextKey, nextKey + keys - 1)}, {unpack(ARGV, first, first + args - 1)})
  nextKey = nextKey + keys
  nextArgument = first + args
end`;
