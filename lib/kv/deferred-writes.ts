/** Writes about a user that happen after their call was answered. */
import { type CallStart, ERASED, STOP_IF_ERASED } from './erasure.ts';
import { count, type Query, type Script, scriptQuery } from './query.ts';

/**
 * Runs the scripts as one command. None runs when the user was erased since the call began. A script that returns
 * `ERASED` stops those after it. A script has at most a few thousand keys and arguments.
 */
export function deferredWrites(start: CallStart, scripts: readonly Script[]): Query<unknown> {
  const parts = scripts.map(
    ({ source }) => `if run(function(KEYS, ARGV)\n${source}\nend) == ${ERASED} then return ${ERASED} end`,
  );
  return scriptQuery(
    {
      source: [STOP_IF_ERASED, RUN_PART, ...parts, 'return 1'].join('\n'),
      keys: [...scripts.flatMap(({ keys }) => keys), start.markKey],
      args: [
        ...scripts.flatMap(({ keys, args }) => [String(keys.length), String(args.length), ...args]),
        String(start.atMs),
      ],
    },
    count,
  );
}

/**
 * Each part sees its own KEYS and ARGV. The numbers of its keys and arguments come before its arguments, so that the
 * text of a script is the same for every call.
 */
const RUN_PART = `
local nextKey, nextArgument = 1, 1
local function run(part)
  local keyCount, argumentCount = tonumber(ARGV[nextArgument]), tonumber(ARGV[nextArgument + 1])
  local first = nextArgument + 2
  local result = part({unpack(KEYS, nextKey, nextKey + keyCount - 1)}, {unpack(ARGV, first, first + argumentCount - 1)})
  nextKey = nextKey + keyCount
  nextArgument = first + argumentCount
  return result
end`;
