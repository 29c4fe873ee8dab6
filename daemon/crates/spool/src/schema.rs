//! The tables, and the versions of them that this release reads. What runs against them is in
//! the module of each table; when and how a file is opened is in `open`.

/// Marks a database as ours (`PRAGMA application_id`): the letters `nunc`.
pub(crate) const APPLICATION_ID: i32 = 0x6e75_6e63;

/// The schema that this release writes (`PRAGMA user_version`). Raised by additive migrations
/// only; a higher one is refused at open.
pub(crate) const SCHEMA_VERSION: i32 = 2;

/// Rows in `records` are JSON compressed by zstd. Other forms get another number.
pub(crate) const FORMAT_JSON_ZSTD: i64 = 1;

/// Bytes of a page. 2 kB records waste little of it and it was the fastest one measured.
pub(crate) const PAGE_SIZE: u64 = 16_384;

/// Tables that are always checked at open, since they are small.
pub(crate) const SMALL_TABLES: [&str; 7] = [
    "meta",
    "accounts",
    "feeds",
    "sinks",
    "lanes",
    "dead_letters",
    "failed_items",
];

/// What each schema added to the one before it, from version 2 on. Additive, so that the release
/// before can still read the file.
pub(crate) const MIGRATIONS: [(i32, &str); 1] = [(2, CREATE_MEMBERS)];

/// Which accounts see which calendars and shared drives of the domain: found out by walks, and so
/// not to be found out again at each start.
const CREATE_MEMBERS: &str = "
CREATE TABLE members (
  source TEXT NOT NULL,
  account_key TEXT NOT NULL,
  collection TEXT NOT NULL,
  name TEXT NOT NULL,
  rank INTEGER NOT NULL,
  PRIMARY KEY (source, account_key, collection)
) WITHOUT ROWID;
";

/// Everything of version 1, for an empty file; the migrations follow.
pub(crate) const CREATE: &str = "
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
  key TEXT PRIMARY KEY,
  address TEXT NOT NULL COLLATE NOCASE,
  frozen_at INTEGER NOT NULL
);
CREATE INDEX accounts_by_address ON accounts (address);

-- No reference to accounts: a domain feed belongs to none.
CREATE TABLE feeds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_key TEXT NOT NULL,
  source TEXT NOT NULL,
  collection TEXT NOT NULL,
  floor INTEGER,
  cursor TEXT,
  walk TEXT,
  complete INTEGER NOT NULL DEFAULT 0,
  UNIQUE (account_key, source, collection)
);

CREATE TABLE label_sets (
  id INTEGER PRIMARY KEY,
  labels TEXT NOT NULL UNIQUE
);

-- `item` and `thread` are 8 bytes where the id is 16 lower-case hex digits, else text. Gmail's
-- ids grow and a walk goes from the newest to the oldest: descending, so that it fills its pages
-- (49 bytes a row) instead of splitting them into halves (78).
CREATE TABLE items (
  feed INTEGER NOT NULL,
  item NOT NULL,
  ord INTEGER NOT NULL,
  hash INTEGER NOT NULL,
  label_set INTEGER NOT NULL,
  thread NOT NULL,
  generation INTEGER NOT NULL,
  PRIMARY KEY (feed, item DESC)
) WITHOUT ROWID;

-- Deletions of late, so that an older sighting does not bring the item back.
CREATE TABLE tombstones (
  feed INTEGER NOT NULL,
  item NOT NULL,
  ord INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (feed, item)
) WITHOUT ROWID;

-- `body` is last, so that the other columns are read without it.
CREATE TABLE records (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  feed INTEGER NOT NULL REFERENCES feeds (id),
  item NOT NULL,
  key TEXT NOT NULL,
  revision INTEGER NOT NULL UNIQUE,
  change TEXT NOT NULL,
  format INTEGER NOT NULL,
  only_sink INTEGER,
  raw_len INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX records_by_feed ON records (feed, seq, only_sink);
CREATE INDEX records_by_item ON records (feed, item);

CREATE TABLE blobs (
  sha256 BLOB PRIMARY KEY,
  size INTEGER NOT NULL,
  refs INTEGER NOT NULL,
  format INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE blob_chunks (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL REFERENCES blobs (sha256) ON DELETE CASCADE,
  n INTEGER NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (sha256, n)
);
CREATE TABLE record_blobs (
  seq INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (seq, sha256)
) WITHOUT ROWID;

CREATE TABLE sinks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  delivered INTEGER NOT NULL DEFAULT 0,
  registered_at INTEGER NOT NULL
);
CREATE TABLE lanes (
  sink INTEGER NOT NULL REFERENCES sinks (id) ON DELETE CASCADE,
  feed INTEGER NOT NULL,
  position INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_try INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (sink, feed)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink INTEGER NOT NULL REFERENCES sinks (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  feed INTEGER NOT NULL,
  item NOT NULL,
  key TEXT NOT NULL,
  revision INTEGER NOT NULL,
  change TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'open',
  UNIQUE (sink, seq)
);
CREATE INDEX dead_letters_open ON dead_letters (sink, feed, item) WHERE status = 'open';
CREATE INDEX dead_letters_open_seq ON dead_letters (seq) WHERE status = 'open';
CREATE INDEX dead_letters_by_age ON dead_letters (at);

CREATE TABLE failed_items (
  feed INTEGER NOT NULL,
  item NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_try INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  PRIMARY KEY (feed, item)
) WITHOUT ROWID;
";
