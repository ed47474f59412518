-- Programs that fold or archive, as long as they renew their leases.
create table workers (
  "worker_id" text not null,
  "program" text not null,
  "joined_at_ms" bigint not null,
  "lease_until_ms" bigint not null,
  "failing" text,
  primary key ("worker_id")
);

-- Who works on which part of a projection. A new owner raises the epoch, and what the one before still writes is refused.
create table claims (
  "projection" text not null,
  "part" smallint not null,
  "owner" text,
  "epoch" bigint not null,
  primary key ("projection", "part")
);

-- How far readers want the lake to go. The next cut is made for them.
create table cut_wants (
  "partition" smallint not null,
  "next_offset" bigint not null,
  primary key ("partition")
);
