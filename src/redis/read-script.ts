import { ENTRY_HEADER_BYTES, OPENING, PLACES, script } from './script.js';

/**
 * Reads a page.
 *
 * KEYS lane, and the logs. ARGV epoch if the lane is new, after, maxEntries, maxBytes, the topics, and of an excerpt upTo, last, since.
 *
 * Returns the lane, the time of the newest entry at or before \`after\` (empty: none is known), the numbers of the topics
 * that are unknown and trimmed, whether there is more, and number and entry in turn.
 */
export const READ = script(`${OPENING}${PLACES}
local lane = open_lane(ARGV[1])
local _, _, lane_at, forgotten = struct.unpack(LANE, lane)
local after, max_entries, max_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = clock(lane_at)
local newest, unknown, trimmed, cursors = nil, {}, {}, {}
local topics = #KEYS - 1
local upto, last, since = tonumber(ARGV[5 + topics]), tonumber(ARGV[6 + topics]), tonumber(ARGV[7 + topics])

-- The index of the first entry that an excerpt has, of those from start on.
local function first_wanted(log, start, length)
  local stop = first_beyond(log, upto, start, length)
  start = math.max(start, stop - last)
  if since == 0 or start == stop then return start end
  local function is_old(_, _, at) return at < since end
  if is_old(entry_at(log, stop - 1)) then return stop end
  return search(log, start, stop - 1, is_old)
end

local function look_at(number, head)
  if not head then
    if after < forgotten then unknown[#unknown + 1] = number end
    return
  end
  local seq, at, max_age, bytes, _, unknown_before = struct.unpack(HEAD, head)
  local is_unknown = after < unknown_before
  if is_unknown then unknown[#unknown + 1] = number end
  if seq <= after then
    newest = math.max(newest or 0, at)
    return
  end
  local log = KEYS[1 + number]
  local first, length, first_seq, first_prev = first_young(log, now - max_age)
  local start = first
  if first_seq and first_seq <= after then
    start = first_beyond(log, after, first + 1, length)
    local _, _, before = entry_at(log, start - 1)
    newest = math.max(newest or 0, before)
  end
  if not is_unknown and not (first_seq and first_prev <= after) then trimmed[#trimmed + 1] = number end
  if upto and start < length then start = first_wanted(log, start, length) end
  if start < length then
    cursors[#cursors + 1] = { number = number, log = log, next = start, size = math.max(bytes / length, 1), page = {}, at = 1 }
  end
end

for from = 1, topics, 1000 do
  local to = math.min(from + 999, topics)
  local fields = {}
  for number = from, to do fields[#fields + 1] = 't' .. ARGV[4 + number] end
  local heads = redis.call('HMGET', KEYS[1], unpack(fields))
  for n = 1, #fields do look_at(from + n - 1, heads[n]) end
end

-- The next entry of one topic; as many are fetched at once as are likely to fit.
local room = max_bytes
local function advance(cursor)
  cursor.entry = cursor.page[cursor.at]
  if not cursor.entry then
    local share = math.ceil(2 * max_entries / #cursors)
    local count = math.max(1, math.min(share, math.ceil(room / cursor.size), 1000))
    cursor.page = redis.call('LRANGE', cursor.log, cursor.next, cursor.next + count - 1)
    cursor.next, cursor.at = cursor.next + count, 1
    cursor.entry = cursor.page[1]
  end
  cursor.at = cursor.at + 1
  if cursor.entry then cursor.seq = struct.unpack(ENTRY, cursor.entry) end
end

for _, cursor in ipairs(cursors) do advance(cursor) end
-- The oldest last, so that removing it is cheap.
table.sort(cursors, function(a, b) return a.seq > b.seq end)
local entries, count, more = {}, 0, 0
while #cursors > 0 do
  local cursor = cursors[#cursors]
  local _, _, _, id_length = struct.unpack(ENTRY, cursor.entry)
  local size = #cursor.entry - ${ENTRY_HEADER_BYTES} - math.max(id_length - 1, 0)
  if count > 0 and (count >= max_entries or size > room) then
    more = 1
    break
  end
  room, count = room - size, count + 1
  entries[#entries + 1] = cursor.number
  entries[#entries + 1] = cursor.entry
  advance(cursor)
  if not cursor.entry then cursors[#cursors] = nil
  else
    local place = #cursors
    while place > 1 and cursors[place - 1].seq < cursor.seq do
      cursors[place] = cursors[place - 1]
      place = place - 1
    end
    cursors[place] = cursor
  end
end
return { lane, newest and string.format('%.0f', newest) or '', unknown, trimmed, more, entries }
`);
