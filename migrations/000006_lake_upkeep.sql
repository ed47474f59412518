-- What the upkeep of the lake must know: who reads which snapshot, and which objects belong to none.

-- Readings of the lake under way. The files of their snapshots stay until they end or run out.
create table lake_readers (
  "reader_id" text not null,
  "snapshot_id" bigint not null,
  "expires_at" text not null,
  primary key ("reader_id")
);

-- Objects of the lake that no snapshot has: what cuts and merges left that came to nothing.
create table lake_orphans (
  "path" text not null,
  "bytes" bigint not null,
  "seen_at" text not null,
  "doomed" boolean not null,
  primary key ("path")
);
