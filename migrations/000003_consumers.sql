-- Consumers of completed groups: where each stands, and what it was given.

-- Consumers of completed groups, with their newest lease.
create table consumers (
  "consumer" text not null,
  "partition" smallint not null,
  "first_offset" bigint not null,
  "last_offset" bigint not null,
  "filter" text not null,
  "lease_number" bigint not null,
  "leased_hash" text not null,
  "leased_at" text not null,
  "groups" json not null,
  "acked_number" bigint not null,
  "position" text not null,
  "n_groups" bigint not null,
  primary key ("consumer")
);

-- Groups that a consumer was given.
create table consumer_groups (
  "consumer" text not null,
  "run_id" text not null,
  "group_id" text not null,
  "offset" bigint not null,
  "lease_number" bigint not null,
  primary key ("consumer", "run_id", "group_id")
);
