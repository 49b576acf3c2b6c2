-- Version 1. The database refuses illegal states, too: the checks here are the tables of rescind.model.status.
-- Migrations to later versions stand in migrations.py, one function each.

create table executions (
    execution_id text primary key,
    organisation text not null,
    kind         text not null,
    queue        text not null,
    created_by   text not null,
    status       text not null check (status in
                     ('PENDING', 'RUNNING', 'WAITING', 'CANCELLING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    ordinal      integer not null unique,
    created_at   integer not null,
    ended_at     integer check ((ended_at is null) = (status not in ('COMPLETED', 'FAILED', 'CANCELLED'))),
    -- Set when nothing can change it any more; such an execution is not loaded at start-up.
    closed       integer not null default 0 check (closed in (0, 1)),
    record       blob not null
) strict;

create index executions_open on executions (ordinal) where closed = 0;

-- Lists are read by these, newest first: what a filter names, then the order of starting.
create index executions_by_status on executions (status, ordinal);
create index executions_by_kind on executions (kind, ordinal);
create index executions_by_queue on executions (queue, ordinal);
create index executions_by_creator on executions (created_by, ordinal);

-- The labels of executions; those of tasks stand in the tasks alone.
create table labels (
    name    text not null,
    value   text not null,
    ordinal integer not null,
    primary key (name, value, ordinal)
) strict, without rowid;

create table tasks (
    execution_id text not null,
    task_id      text not null,
    ordinal      integer not null,
    kind         text not null,
    queue        text not null,
    status       text not null check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    ended_at     integer check ((ended_at is null) = (status in ('PENDING', 'RUNNING'))),
    record       blob not null,
    primary key (execution_id, task_id)
) strict, without rowid;

create table journal (
    execution_id text not null,
    number       integer not null,
    entry        blob not null,
    primary key (execution_id, number)
) strict, without rowid;

create table entries (
    execution_id text not null,
    place        integer not null,
    entry        blob not null,
    primary key (execution_id, place)
) strict, without rowid;

create table checkpoints (
    execution_id text not null,
    sequence     integer not null,
    checkpoint   blob not null,
    primary key (execution_id, sequence)
) strict, without rowid;

-- Invariant 1, kept here as well: numbers have no second owner.
create table events (
    execution_id text not null,
    sequence     integer not null check (sequence > 0),
    event        blob not null,
    primary key (execution_id, sequence)
) strict, without rowid;

create table counters (
    name  text primary key,
    value integer not null
) strict, without rowid;
