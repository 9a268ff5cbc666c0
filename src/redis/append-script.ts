import { ENTRY_OVERHEAD_BYTES, WINDOW, script } from './script.js';

/** What the two have in common that store events: a topic is a table that is made of its head, and becomes its next one. */
export const STORING = `
local function topic_of(name, head, log, index, forgotten)
  local prev, age_before, bytes, ids, unknown_before, _ = 0, 0, 0, 0, forgotten
  if head then prev, _, age_before, bytes, ids, unknown_before = struct.unpack(HEAD, head) end
  return { name = name, log = log, index = index, is_known = head, is_kept = false, max_age = false,
    prev = prev, age_before = age_before, bytes = bytes, ids = ids, unknown_before = unknown_before }
end

local function evict_first(topic)
  local first = redis.call('LPOP', topic.log)
  topic.bytes = topic.bytes - #first - ${ENTRY_OVERHEAD_BYTES}
  local id, id_seq = own_id(first)
  if not id then return end
  if math.abs(redis.call('HGET', topic.index, id) or 0) == id_seq then
    redis.call('HDEL', topic.index, id)
    topic.ids = topic.ids - 1
  end
end

-- Puts an entry into the log of its topic, and takes out what that keeps no longer.
local function store(topic, entry, id, seq, at, max_events, max_bytes, max_age)
  local log, index, size = topic.log, topic.index, #entry + ${ENTRY_OVERHEAD_BYTES}
  if max_events >= 1 and size <= max_bytes then
    local count = redis.call('RPUSH', log, entry)
    if count > 1 and not topic.is_known then
      -- What is left under this name from an earlier life of the lane.
      redis.call('DEL', log)
      count = redis.call('RPUSH', log, entry)
    end
    if count == 1 then
      topic.bytes, topic.ids = 0, 0
      redis.call('DEL', index)
    end
    topic.bytes = topic.bytes + size
    if id ~= '' then
      local restored = restore_ids(log, index, topic.ids)
      if restored then topic.ids = restored
      elseif remember(index, id:sub(2), seq) then topic.ids = topic.ids + 1 end
    end
    while count > max_events or topic.bytes > max_bytes do
      evict_first(topic)
      count = count - 1
    end
    -- What is stored together is of one time: after the first of it nothing is too old.
    if max_age < 1e15 and max_age ~= topic.max_age then
      local _, first_at
      while count > 1 do
        _, _, first_at = entry_at(log, 0)
        if at - first_at <= max_age then break end
        evict_first(topic)
        count = count - 1
      end
    end
    topic.is_kept = true
  else
    redis.call('DEL', log, index)
    topic.bytes, topic.ids, topic.is_kept = 0, 0, false
  end
  topic.prev, topic.max_age = seq, max_age
end

local function expire(topic)
  if not topic.is_kept then return end
  if topic.max_age < 1e15 then
    local ms = math.ceil(topic.max_age) + 1
    redis.call('PEXPIRE', topic.log, ms)
    if topic.ids > 0 then redis.call('PEXPIRE', topic.index, ms) end
  elseif topic.age_before < 1e15 then
    redis.call('PERSIST', topic.log)
    redis.call('PERSIST', topic.index)
  end
end

local function head_of(topic, at)
  return struct.pack(HEAD, topic.prev, at, topic.max_age, topic.bytes, topic.ids, topic.unknown_before)
end

local function message_of(epoch, topic, entry, seq, max_bytes)
  local start = epoch .. struct.pack('<I2', #topic.name) .. topic.name
  -- What is not kept cannot be read, however large it is.
  if not topic.is_kept or #entry <= max_bytes then return 'e' .. start .. entry end
  return 'h' .. start .. struct.pack('<d', seq)
end

`;

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
export const APPEND = script(`${STORING}
local name, n = ARGV[2], tonumber(ARGV[9])
local field, last_field = 't' .. name, 'n' .. ARGV[8]
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
local topic = topic_of(name, found[2], KEYS[3], KEYS[4], forgotten)
local entry = struct.pack(ENTRY, seq, topic.prev, at, #ARGV[4]) .. ARGV[4]:sub(2) .. ARGV[3]
store(topic, entry, ARGV[4], seq, at, tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
expire(topic)
if not found[2] then
  redis.call('ZADD', KEYS[2], 0, name)
  topics = topics + 1
end
local token = struct.pack(TOKEN, n, seq, at)
redis.call('HSET', KEYS[1], 'l', struct.pack(LANE, epoch, seq, at, forgotten, topics),
  field, head_of(topic, at), last_field, token, slot_field, token)

local message = message_of(epoch, topic, entry, seq, tonumber(ARGV[11]))
local command, problem = KEYS[5] and 'SPUBLISH' or 'PUBLISH', nil
for n = 1, 2 do
  local result = redis.pcall(command, KEYS[4 + n] or ARGV[11 + n], message)
  if type(result) == 'table' then problem = result.err end
end
return { 1, epoch, seq, at, problem }
`);
