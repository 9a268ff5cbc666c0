/** Marks the file as ours, in its header: `nses` in ASCII. */
export const APPLICATION_ID = 0x6e736573;

/** Each brings a file of the version that is its index to the next. What has been released is never changed. */
export const MIGRATIONS: readonly string[] = [
  `
  -- One row: the life of the lane, its newest entry, and what all retained entries take.
  -- forgotten: the highest head of a topic that has disappeared.
  CREATE TABLE lane (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
  ) STRICT;

  -- unknown_before: who stands before it may have missed events of this topic that are no longer known of.
  -- check_at: until then nothing of it becomes too old. REAL, because an age may be infinite.
  CREATE TABLE topic (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    head INTEGER NOT NULL,
    head_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    max_age_ms REAL NOT NULL,
    check_at REAL NOT NULL,
    unknown_before INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX topic_check ON topic (check_at);

  -- again: the own id was that of another retained entry of the topic, and is ambiguous until this one goes.
  CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    own_id TEXT,
    again INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
  -- The rowid, which is seq, is part of every index.
  CREATE INDEX entry_topic ON entry (topic);
  CREATE INDEX entry_own_id ON entry (own_id) WHERE own_id IS NOT NULL;
  `,
];
