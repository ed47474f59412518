-- Roles for a database of Stepstore, each with no more rights than it needs. Run it as administrator in that database:
--   createdb stepstore && psql -d stepstore -f infra/postgres/roles.sql
-- then give each role that you use a password. Running it again changes nothing.
--   stepstore_owner   makes the tables: start one program with it after every upgrade
--   stepstore_writer  reads and writes rows: project and archive
--   stepstore_reader  reads rows: query, and people

do $$
declare
  role text;
begin
  foreach role in array array['stepstore_owner', 'stepstore_writer', 'stepstore_reader'] loop
    if not exists (select from pg_roles where rolname = role) then
      execute format('create role %I login nosuperuser nocreatedb nocreaterole noreplication', role);
    end if;
    execute format('grant connect on database %I to %I', current_database(), role);
  end loop;
  execute format('revoke all on database %I from public', current_database());
  -- For `stepstore rebuild projection`, which makes the new rows in a schema beside the old.
  execute format('grant create on database %I to stepstore_owner', current_database());
end
$$;

revoke all on schema public from public;
grant usage, create on schema public to stepstore_owner;
grant usage on schema public to stepstore_writer, stepstore_reader;

-- Default rights of another role can be set by its members only.
grant stepstore_owner to current_user;

grant select, insert, update, delete, truncate on all tables in schema public to stepstore_writer;
alter default privileges for role stepstore_owner in schema public
  grant select, insert, update, delete, truncate on tables to stepstore_writer;

grant select on all tables in schema public to stepstore_reader;
alter default privileges for role stepstore_owner in schema public grant select on tables to stepstore_reader;

-- A read of the lake asks for a cut that is new enough. Without this right it waits for the next one in time. Run this file
-- again once the tables are there.
do $$
begin
  if to_regclass('cut_wants') is not null then
    grant insert, update on cut_wants to stepstore_reader;
  end if;
  -- A read holds the snapshot that it reads. Without this right it has the day of grace that sweeps leave.
  if to_regclass('lake_readers') is not null then
    grant insert, update on lake_readers to stepstore_reader;
  end if;
end
$$;
