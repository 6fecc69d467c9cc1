/**
 * The script that ends a user's move: it checks that the old records are those that were moved, gives all other data
 * its new name, and deletes the old names. It runs as a whole or not at all.
 *
 * KEYS: the old records, then an old and a new name for each kind. ARGV: the number of old records, their fields and
 * values in turn, then the kinds. It touches keys of several slots, which a cluster refuses; but the versions that wrote
 * the old names could not run on a cluster either.
 *
 * Where data has both names, because a refused call was logged or a deployment of an earlier version is still running,
 * the two are merged.
 */
export const MERGE_ALL = `
local oldRecords, fieldCount = KEYS[1], tonumber(ARGV[1])
local lastValue = 1 + 2 * fieldCount

if redis.call('HLEN', oldRecords) ~= fieldCount then return 0 end
for i = 2, lastValue, 2 do
  if redis.call('HGET', oldRecords, ARGV[i]) ~= ARGV[i + 1] then return 0 end
end

local function eachField(hash, run)
  local words = redis.call('HGETALL', hash)
  for i = 1, #words, 2 do run(words[i], words[i + 1]) end
end

local function keepLonger(old, new)
  local former, current = redis.call('PTTL', old), redis.call('PTTL', new)
  if former == -1 then redis.call('PERSIST', new)
  elseif current ~= -1 and former > current then redis.call('PEXPIRE', new, former) end
end

local function addCounters(old, new)
  eachField(old, function(field, value) redis.call('HINCRBY', new, field, value) end)
  keepLonger(old, new)
end

local function isBefore(a, b)
  if a.time ~= b.time then return a.time < b.time end
  return a.number < b.number
end

local function readStream(stream, entries)
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
    local time, number = string.match(entry[1], '^(%d+)-(%d+)$')
    entries[#entries + 1] = {time = tonumber(time), number = tonumber(number), fields = entry[2]}
  end
end

local merge = {}

function merge.used(old, new)
  eachField(old, function(field, value)
    if (redis.call('HGET', new, field) or '') < value then redis.call('HSET', new, field, value) end
  end)
end

function merge.guards(old, new)
  eachField(old, function(field, value) redis.call('HSETNX', new, field, value) end)
end

function merge.spent(old, new)
  local former, current = redis.call('HGET', old, 'day') or '', redis.call('HGET', new, 'day') or ''
  if former > current then redis.call('RENAME', old, new) return end
  if former < current then return end
  redis.call('HDEL', old, 'day')
  addCounters(old, new)
end

-- A session without a revision was only begun: a call that was refused does that.
function merge.onboarding(old, new)
  if redis.call('HEXISTS', new, 'revision') == 0 then redis.call('RENAME', old, new) end
end

merge.usage = addCounters

function merge.audit(old, new)
  local entries, time, number = {}, 0, 0
  readStream(old, entries)
  readStream(new, entries)
  table.sort(entries, isBefore)
  keepLonger(old, new)
  local lifetime = redis.call('PTTL', new)
  redis.call('DEL', new)
  for _, entry in ipairs(entries) do
    if entry.time > time then time, number = entry.time, entry.number
    else number = math.max(number + 1, entry.time == time and entry.number or 0) end
    redis.call('XADD', new, string.format('%.0f-%.0f', time, number), unpack(entry.fields))
  end
  if lifetime > 0 then redis.call('PEXPIRE', new, lifetime) end
end

for pair = 1, (#KEYS - 1) / 2 do
  local old, new, kind = KEYS[2 * pair], KEYS[2 * pair + 1], ARGV[lastValue + pair]
  if redis.call('EXISTS', old) == 1 then
    if redis.call('EXISTS', new) == 0 then redis.call('RENAME', old, new) else merge[kind](old, new) end
    redis.call('DEL', old)
  end
end
redis.call('DEL', oldRecords)
return 1`;
