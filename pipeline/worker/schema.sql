-- What falloff keeps beside River's own tables. Times are the database's: workers' clocks are not compared.

-- One row a worker; key id. A worker is alive while seen_at is not older than the lease.
create table if not exists falloff_worker (
  id text primary key,
  seen_at timestamptz not null
);

-- One row a job that is carried out, or was a moment ago; key job_id. It holds one of the places that the portal's domain has.
create table if not exists falloff_hold (
  job_id bigint primary key,
  worker text not null references falloff_worker (id) on delete cascade,
  host text not null,
  since timestamptz not null,
  ended_at timestamptz
);

create index if not exists falloff_hold_host on falloff_hold (host) where ended_at is null;
