import { createHash } from 'node:crypto';

/** A Lua script, which the server runs as one step. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/*
 * What is stored under `{prefix}`; all keys share this hash tag, so that one script may touch them in a Redis Cluster.
 *
 * `{prefix}:lane`        HASH. `l`: the lane; `t<topic>`: the head of a topic; `n<node>`, `n<node>:<n mod 512>`: what a
 *                        process has appended last; `s`: when idle topics were looked for. One key holds all that must
 *                        agree, so that an eviction cannot take a part of it.
 * `{prefix}:names`       ZSET of the topics' names, to be listed by prefix.
 * `{prefix}:log:<topic>` LIST of the retained entries.
 * `{prefix}:ids:<topic>` HASH of the publishers' own ids: the sequence, below 0 when the id was used more than once.
 *
 * A LIST and not a STREAM: the same speed, and a topic with one event of 200 bytes takes 0.5 KB in place of 4.5 KB.
 */

/** How many bytes an entry has before its id and its data: `seq`, `prev`, `at`, and the length of the id + 1 (0: no id). */
export const ENTRY_HEADER_BYTES = 28;

/** How many appends of one process are remembered, and may be under way. */
export const WINDOW = 512;

/** What one entry costs beside its bytes: its place in the list. */
export const ENTRY_OVERHEAD_BYTES = 36;

/** A script that begins with what all have in common. */
export function script(body: string): Script {
  const text = SHARED + body;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** What the scripts have in common. */
const SHARED = `
local LANE, HEAD, ENTRY, TOKEN = '<c6dddd', '<dddddd', '<dddI4', '<ddd'

local function clock(at)
  local time = redis.call('TIME')
  return math.max(at, time[1] * 1000 + math.floor(time[2] / 1000))
end

local function own_id(entry)
  local seq, _, _, length = struct.unpack(ENTRY, entry)
  if length > 0 then return entry:sub(${ENTRY_HEADER_BYTES + 1}, ${ENTRY_HEADER_BYTES - 1} + length), seq end
end

local function remember(ids, id, seq)
  local known = redis.call('HGET', ids, id)
  redis.call('HSET', ids, id, string.format('%.0f', known and -seq or seq))
  return not known
end

-- An eviction may have taken the index and left the log. Gives how many ids there are, if it was so.
local function restore_ids(log, ids, expected)
  if expected == 0 or redis.call('EXISTS', ids) == 1 then return nil end
  local count = 0
  for _, entry in ipairs(redis.call('LRANGE', log, 0, -1)) do
    local id, seq = own_id(entry)
    if id and remember(ids, id, seq) then count = count + 1 end
  end
  return count
end

local function entry_at(log, index)
  local entry = redis.call('LINDEX', log, index)
  if entry then return struct.unpack(ENTRY, entry) end
end
`;

/** What those have in common beside it that read: the lane is made with the first of them. Each function costs whoever runs a script that has it. */
export const OPENING = `
-- The lane as it is stored: its epoch, newest sequence and time, the newest sequence of a forgotten topic, how many topics.
local function open_lane(candidate)
  local lane = redis.call('HGET', KEYS[1], 'l')
  if lane then return lane end
  lane = struct.pack(LANE, candidate, 0, clock(0), 0, 0)
  redis.call('HSET', KEYS[1], 'l', lane)
  return lane
end
`;

/** What those have in common beside it that look for a place in a log. */
export const PLACES = `
-- The first index from low up to high that is not before what is looked for.
local function search(log, low, high, is_before)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(entry_at(log, middle)) then low = middle + 1 else high = middle end
  end
  return low
end

-- The index of the first entry that is young enough, how many entries there are, and where that entry stands.
local function first_young(log, since)
  local seq, prev, at = entry_at(log, 0)
  if not seq then return 0, 0 end
  local length, index = redis.call('LLEN', log), 0
  if at < since then
    index = search(log, 1, length, function(_, _, time) return time < since end)
    seq, prev = entry_at(log, index)
  end
  return index, length, seq, prev
end

-- The index of the first entry beyond a sequence. Looked for from the end, where most readers are.
local function first_beyond(log, after, low, length)
  local high, step = length, 1
  while high - step >= low do
    if entry_at(log, high - step) <= after then
      low = high - step + 1
      break
    end
    high, step = high - step, step * 2
  end
  return search(log, low, high, function(seq) return seq <= after end)
end
`;
