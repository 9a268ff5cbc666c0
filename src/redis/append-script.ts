import { ENTRY_OVERHEAD_BYTES, WINDOW, script } from './script.js';

/**
 * Stores one event and publishes it.
 *
 * KEYS lane, names, log, ids, and in a cluster the channels of the topic and of the lane.
 * ARGV epoch if the lane is new, topic, data, id + 1 (empty: none), maxEvents, maxBytes, maxAgeMs, node, n, the lowest n that
 * is still wanted, most bytes to publish, and without a cluster the channels of the topic and of the lane.
 *
 * Returns status (1 stored, now or before; 0 too early: one before it is not stored; -1 no longer wanted), epoch, seq, at,
 * and what went wrong with publishing.
 */
export const APPEND = script(`
local topic, n = ARGV[2], tonumber(ARGV[9])
local field, last_field = 't' .. topic, 'n' .. ARGV[8]
local slot_field = last_field .. ':' .. n % ${WINDOW}
local found = redis.call('HMGET', KEYS[1], 'l', field, last_field, slot_field)
local epoch, seq, at, forgotten, topics = ARGV[1], 0, 0, 0, 0
if found[1] then epoch, seq, at, forgotten, topics = struct.unpack(LANE, found[1]) end

local last = math.max(found[3] and struct.unpack(TOKEN, found[3]) or 0, tonumber(ARGV[10]) - 1)
if n <= last then
  if found[4] then
    local stored, stored_seq, stored_at = struct.unpack(TOKEN, found[4])
    if stored == n then return { 1, epoch, stored_seq, stored_at } end
  end
  return { -1 }
end
if n > last + 1 then return { 0 } end

seq, at = seq + 1, clock(at)
local prev, age_before, bytes, ids, unknown_before = 0, 0, 0, 0, forgotten
if found[2] then
  local _
  prev, _, age_before, bytes, ids, unknown_before = struct.unpack(HEAD, found[2])
end
local log, index = KEYS[3], KEYS[4]
local max_events, max_bytes, max_age = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local entry = struct.pack(ENTRY, seq, prev, at, #ARGV[4]) .. ARGV[4]:sub(2) .. ARGV[3]

local function evict_first()
  local first = redis.call('LPOP', log)
  bytes = bytes - #first - ${ENTRY_OVERHEAD_BYTES}
  local id, id_seq = own_id(first)
  if not id then return end
  if math.abs(redis.call('HGET', index, id) or 0) == id_seq then
    redis.call('HDEL', index, id)
    ids = ids - 1
  end
end

local is_kept = max_events >= 1 and #entry + ${ENTRY_OVERHEAD_BYTES} <= max_bytes
if is_kept then
  -- What is left under this name from an earlier life of the lane.
  if not found[2] then redis.call('DEL', log, index) end
  local count = redis.call('RPUSH', log, entry)
  if count == 1 and found[2] then
    bytes, ids = 0, 0
    redis.call('DEL', index)
  end
  bytes = bytes + #entry + ${ENTRY_OVERHEAD_BYTES}
  if ARGV[4] ~= '' then
    local restored = restore_ids(log, index, ids)
    if restored then ids = restored
    elseif remember(index, ARGV[4]:sub(2), seq) then ids = ids + 1 end
  end
  while count > max_events or bytes > max_bytes do
    evict_first()
    count = count - 1
  end
  if max_age < 1e15 then
    local _, first_at
    while count > 1 do
      _, _, first_at = entry_at(log, 0)
      if at - first_at <= max_age then break end
      evict_first()
      count = count - 1
    end
    redis.call('PEXPIRE', log, math.ceil(max_age) + 1)
    if ids > 0 then redis.call('PEXPIRE', index, math.ceil(max_age) + 1) end
  elseif age_before < 1e15 then
    redis.call('PERSIST', log)
    redis.call('PERSIST', index)
  end
else
  redis.call('DEL', log, index)
  bytes, ids = 0, 0
end

if not found[2] then
  redis.call('ZADD', KEYS[2], 0, topic)
  topics = topics + 1
end
local token = struct.pack(TOKEN, n, seq, at)
redis.call('HSET', KEYS[1], 'l', struct.pack(LANE, epoch, seq, at, forgotten, topics),
  field, struct.pack(HEAD, seq, at, max_age, bytes, ids, unknown_before), last_field, token, slot_field, token)

local message = epoch .. struct.pack('<I2', #topic) .. topic
-- What is not kept cannot be read, however large it is.
if not is_kept or #entry <= tonumber(ARGV[11]) then message = 'e' .. message .. entry
else message = 'h' .. message .. struct.pack('<d', seq) end
local command, problem = KEYS[5] and 'SPUBLISH' or 'PUBLISH', nil
for n = 1, 2 do
  local result = redis.pcall(command, KEYS[4 + n] or ARGV[11 + n], message)
  if type(result) == 'table' and result.err then problem = result.err end
end
return { 1, epoch, seq, at, problem }
`);
