import { STORING } from './append-script.js';
import { WINDOW, script } from './script.js';

/**
 * Stores and publishes events that have numbers in a row, each as `APPEND` does, with the time and the heads read once. The heads are
 * written when all is stored, so what fails in between ends it: what is before that is stored, and what follows is left to the caller.
 * When the first fails, the whole does, and nothing has been stored.
 *
 * KEYS lane, names, of each series log and ids, and in a cluster the channels of the series and of the lane.
 * ARGV epoch if the lane is new, node, n of the first, the lowest n that is still wanted, most bytes to publish, how many series and how
 * many events; of each series topic, maxEvents, maxBytes, maxAgeMs; of each event its series, data, id + 1 (empty: none); and without a
 * cluster the channels of the series and of the lane.
 *
 * Returns status (1, or 0 too early: one before the first is not stored), epoch, seq and at of each event up to the one that failed (both
 * 0: no longer wanted), and what went wrong with publishing.
 */
export const APPEND_MANY = script(`${STORING}
local last_field, n, max_whole = 'n' .. ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local series_count, count = tonumber(ARGV[6]), tonumber(ARGV[7])
local series_end = 7 + 4 * series_count
local fields = { 'l', last_field }
for s = 1, series_count do fields[s + 2] = 't' .. ARGV[4 * s + 4] end
local heads = redis.call('HMGET', KEYS[1], unpack(fields))
local epoch, seq, at, forgotten, topics = ARGV[1], 0, 0, 0, 0
if heads[1] then epoch, seq, at, forgotten, topics = struct.unpack(LANE, heads[1]) end
local last = math.max(heads[2] and struct.unpack(TOKEN, heads[2]) or 0, tonumber(ARGV[4]) - 1)
if n > last + 1 then return { 0 } end

local function slot_of(n) return last_field .. ':' .. n % ${WINDOW} end

local places, known = {}, math.min(count, last + 1 - n)
if known > 0 then
  local slots = {}
  for i = 1, known do slots[i] = slot_of(n + i - 1) end
  local tokens = redis.call('HMGET', KEYS[1], unpack(slots))
  for i = 1, known do
    local stored, stored_seq, stored_at = 0, 0, 0
    if tokens[i] then stored, stored_seq, stored_at = struct.unpack(TOKEN, tokens[i]) end
    if stored ~= n + i - 1 then stored_seq, stored_at = 0, 0 end
    places[i] = struct.pack('<dd', stored_seq, stored_at)
  end
end
if known == count then return { 1, epoch, table.concat(places) } end

at = clock(at)
local touched, by_name, by_series, messages = {}, {}, {}, {}
local function topic_at(s)
  local name = ARGV[4 * s + 4]
  local topic = by_name[name] or topic_of(name, heads[s + 2], KEYS[2 * s + 1], KEYS[2 * s + 2], forgotten)
  by_name[name], by_series[s] = topic, topic
  return topic
end

local function store_at(i)
  local place = series_end + 3 * i
  local s, data, id = tonumber(ARGV[place - 2]), ARGV[place - 1], ARGV[place]
  local topic = by_series[s] or topic_at(s)
  local entry = struct.pack(ENTRY, seq + 1, topic.prev, at, #id) .. id:sub(2) .. data
  local limit = 4 * s + 4
  store(topic, entry, id, seq + 1, at, tonumber(ARGV[limit + 1]), tonumber(ARGV[limit + 2]), tonumber(ARGV[limit + 3]))
  if not topic.is_known then
    redis.call('ZADD', KEYS[2], 0, topic.name)
    topics = topics + 1
  end
  if not topic.is_touched then touched[#touched + 1] = topic end
  topic.is_known, topic.is_touched, seq = true, true, seq + 1
  places[i] = struct.pack('<dd', seq, at)
  messages[#messages + 1] = { s, message_of(epoch, topic, entry, seq, max_whole) }
end

store_at(known + 1)
for i = known + 2, count do if not pcall(store_at, i) then break end end

local changes = { 'l', struct.pack(LANE, epoch, seq, at, forgotten, topics) }
local function change(field, value) changes[#changes + 1], changes[#changes + 2] = field, value end
for _, topic in ipairs(touched) do
  expire(topic)
  change('t' .. topic.name, head_of(topic, at))
end
local first_seq = seq - #messages
for i = known + 1, #places do
  local token = struct.pack(TOKEN, n + i - 1, first_seq + i - known, at)
  change(slot_of(n + i - 1), token)
  if i == #places then change(last_field, token) end
end
redis.call('HSET', KEYS[1], unpack(changes))

local channels, keyed = series_end + 3 * count, 2 + 2 * series_count
local command, problem = KEYS[keyed + 1] and 'SPUBLISH' or 'PUBLISH', nil
local everywhere = KEYS[keyed + series_count + 1] or ARGV[channels + series_count + 1]
local function publish(channel, message)
  local result = redis.pcall(command, channel, message)
  if type(result) == 'table' then problem = result.err end
end
for _, message in ipairs(messages) do
  publish(KEYS[keyed + message[1]] or ARGV[channels + message[1]], message[2])
  publish(everywhere, message[2])
end
return { 1, epoch, table.concat(places), problem }
`);
