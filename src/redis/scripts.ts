import { OPENING, PLACES, script } from './script.js';

/**
 * Finds the events that were published with an own id.
 *
 * KEYS lane, and of each topic log and ids. ARGV epoch if the lane is new, id, and the topics.
 *
 * Returns epoch, how often the id is there (2: at least), seq and at of the one.
 */
export const LOCATE = script(`${OPENING}${PLACES}
local epoch, _, lane_at = struct.unpack(LANE, open_lane(ARGV[1]))
local now = clock(lane_at)
local count, found_seq, found_at = 0, 0, 0
for number = 1, #ARGV - 2 do
  local head = redis.call('HGET', KEYS[1], 't' .. ARGV[2 + number])
  local _, _, max_age, _, ids = struct.unpack(HEAD, head or struct.pack(HEAD, 0, 0, 0, 0, 0, 0))
  if ids > 0 then
    local log, index = KEYS[2 * number], KEYS[2 * number + 1]
    restore_ids(log, index, ids)
    local known = tonumber(redis.call('HGET', index, ARGV[2]) or 0)
    local first, length = first_young(log, now - max_age)
    local place = first_beyond(log, math.abs(known) - 1, first, length)
    local seq, _, at = 0, 0, 0
    if known ~= 0 and place < length then seq, _, at = entry_at(log, place) end
    if known ~= 0 and seq == math.abs(known) then
      count = count + (known < 0 and 2 or 1)
      found_seq, found_at = seq, at
    end
  end
end
return { epoch, count, found_seq, found_at }
`);

/**
 * Lists the topics by prefix. KEYS lane, names. ARGV epoch if the lane is new, prefix. Returns the lane, and the names.
 */
export const LIST = script(`${OPENING}
local lane = open_lane(ARGV[1])
local _, _, _, _, topics = struct.unpack(LANE, lane)
-- An eviction may have taken the names and left the lane.
if redis.call('ZCARD', KEYS[2]) ~= topics then
  redis.call('DEL', KEYS[2])
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if field:sub(1, 1) == 't' then redis.call('ZADD', KEYS[2], 0, field:sub(2)) end
  end
end
return { lane, redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[2], '[' .. ARGV[2] .. '\\255') }
`);

/** The lane. KEYS lane. ARGV epoch if the lane is new. */
export const OPEN = script(`${OPENING}
return open_lane(ARGV[1])
`);

/**
 * Forgets a part of the topics that have been idle for long, and what processes that are gone have appended.
 *
 * KEYS lane, names. ARGV where to go on ('0': a new round), how many to look at, the least time between two rounds in ms,
 * how long in ms a process may take to ask again for what it has appended.
 *
 * Returns where to go on, '0' when the round is over.
 */
export const SWEEP = script(`
local lane = redis.call('HGET', KEYS[1], 'l')
if not lane then return '0' end
local epoch, seq, at, forgotten, topics = struct.unpack(LANE, lane)
local now = clock(at)
if ARGV[1] == '0' then
  if now - (tonumber(redis.call('HGET', KEYS[1], 's')) or 0) < tonumber(ARGV[3]) then return '0' end
  redis.call('HSET', KEYS[1], 's', string.format('%.0f', now))
end
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
for n = 1, #page[2], 2 do
  local field, value = page[2][n], page[2][n + 1]
  local kind = field:sub(1, 1)
  if kind == 't' then
    local head, head_at, max_age = struct.unpack(HEAD, value)
    if now - head_at > 4 * max_age then
      redis.call('HDEL', KEYS[1], field)
      topics = topics - 1
      forgotten = math.max(forgotten, head)
      redis.call('ZREM', KEYS[2], field:sub(2))
    end
  elseif kind == 'n' then
    local _, _, token_at = struct.unpack(TOKEN, value)
    if now - token_at > tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call('HSET', KEYS[1], 'l', struct.pack(LANE, epoch, seq, at, forgotten, topics))
return page[1]
`);
