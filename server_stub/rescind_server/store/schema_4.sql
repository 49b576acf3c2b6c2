-- The database refuses illegal states, too: the checks here are the tables of rescind.model.status.

-- `ordinal` is the engine's order of starting; what belongs to an execution has it as `execution`. So what is new is
-- written at the end of every table, however much there is.
--
-- `closed` is set when nothing can change it any more; such an execution is not loaded at start-up. `never_ran` is set
-- while it waits for a worker for the first time; such an execution is loaded when its turn comes.
create table executions (
    ordinal      integer primary key,
    execution_id text not null unique,
    organisation text not null,
    kind         text not null,
    queue        text not null,
    created_by   text not null,
    status       text not null check (status in
                     ('PENDING', 'RUNNING', 'WAITING', 'CANCELLING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    created_at   integer not null,
    ended_at     integer check ((ended_at is null) = (status not in ('COMPLETED', 'FAILED', 'CANCELLED'))),
    closed       integer not null check (closed in (0, 1)),
    never_ran    integer not null check (never_ran in (0, 1) and (never_ran = 0 or status = 'PENDING')),
    record       blob not null
) strict;

create index executions_that_never_ran on executions (queue, kind, ordinal) where never_ran = 1;
create index executions_at_work on executions (ordinal) where ended_at is not null and closed = 0;
create index executions_closed on executions (ended_at) where closed = 1;

-- Lists are read by these, newest first: what a filter names, then the order of starting.
create index executions_open on executions (ordinal) where ended_at is null;
create index executions_ended on executions (status, ordinal) where ended_at is not null;
create index executions_by_kind on executions (kind, ordinal);
create index executions_by_queue on executions (queue, ordinal);
create index executions_by_creator on executions (created_by, ordinal);
-- How many there are of each status is counted in this one alone.
create index executions_by_status on executions (organisation, status);

-- The labels of executions; those of tasks stand in the tasks alone.
create table labels (
    name    text not null,
    value   text not null,
    ordinal integer not null,
    primary key (name, value, ordinal)
) strict, without rowid;

create table tasks (
    execution integer not null,
    ordinal   integer not null,
    task_id   text not null,
    status    text not null check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    ended_at  integer check ((ended_at is null) = (status in ('PENDING', 'RUNNING'))),
    record    blob not null,
    primary key (execution, ordinal)
) strict, without rowid;

create table journal (
    execution integer not null,
    number    integer not null,
    entry     blob not null,
    primary key (execution, number)
) strict, without rowid;

create table entries (
    execution integer not null,
    place     integer not null,
    entry     blob not null,
    primary key (execution, place)
) strict, without rowid;

create table checkpoints (
    execution  integer not null,
    sequence   integer not null,
    checkpoint blob not null,
    primary key (execution, sequence)
) strict, without rowid;

-- Invariant 1, kept here as well: numbers have no second owner.
create table events (
    execution integer not null,
    sequence  integer not null check (sequence > 0),
    event     blob not null,
    primary key (execution, sequence)
) strict, without rowid;

-- Where in the histories requests are recorded, by their time: who asked for what since then.
create table requests (
    at        integer not null,
    execution integer not null,
    sequence  integer not null,
    primary key (at, execution, sequence)
) strict, without rowid;

create table counters (
    name  text primary key,
    value integer not null
) strict, without rowid;

-- What is written here and taken out again tells whether the disk takes anything.
create table probe (
    padding blob not null
) strict;

-- Who is told of what happens: see webhooks.
create table webhooks (
    webhook_id   text primary key,
    organisation text not null,
    record       blob not null
) strict, without rowid;

-- What they are still to be told, written with the events that it is about. `due` is when to try it next; a dead letter
-- is tried no more, unless somebody asks for it.
create table deliveries (
    number       integer primary key,
    delivery_id  text not null unique,
    webhook_id   text not null,
    event        text not null,
    execution_id text not null,
    created_at   integer not null,
    attempts     integer not null check (attempts >= 0),
    due          integer,
    dead_at      integer check ((dead_at is null) = (due is not null)),
    problem      text not null,
    body         blob not null
) strict;

create index deliveries_of on deliveries (webhook_id, due);
create index deliveries_dead on deliveries (dead_at, number) where dead_at is not null;

-- What was done with webhooks, and by whom: for the audit trail.
create table webhook_changes (
    number       integer primary key,
    organisation text not null,
    at           integer not null,
    who          text not null,
    action       text not null,
    subject      text not null
) strict;

create index webhook_changes_of on webhook_changes (organisation, at);

-- The last of what the programs of tasks wrote, in blocks: see outputs. `size` is about how many bytes it takes, `until`
-- how many bytes all programs of the execution had written at its end.
create table outputs (
    execution integer not null,
    task_id   text not null,
    number    integer not null,
    size      integer not null,
    until     integer not null,
    block     blob not null,
    primary key (execution, task_id, number)
) strict;
create index outputs_by_place on outputs (execution, until);

-- Children as their parents know them. `execution` is the parent's ordinal, `ordinal` the child's own, if it was started
-- at all: so this table tells whose children an execution's are, too.
create table children (
    execution integer not null,
    ordinal   integer not null,
    record    blob not null,
    primary key (execution, ordinal)
) strict, without rowid;

-- The logs of workflows, which their code is replayed against. What they say (timers, promises, children, state) is
-- worked out from them on the way back, and stands nowhere else.
create table workflow_events (
    execution integer not null,
    sequence  integer not null check (sequence > 0),
    event     blob not null,
    primary key (execution, sequence)
) strict, without rowid;

-- What idempotency keys belong to: an execution, or a promise or task of it.
create table idempotency_keys (
    organisation text not null,
    name         text not null,
    execution_id text not null,
    expires_at   integer not null,
    promise_id   text,
    task_id      text,
    primary key (organisation, name)
) strict, without rowid;

create index idempotency_keys_of on idempotency_keys (execution_id);

-- Whose a task is that calls name by its id alone: those of agents without a session, standalone ones and workflows'.
-- And whose a promise is: `promise:` stands before its id.
create table task_owners (
    task_id   text primary key,
    execution integer not null
) strict, without rowid;

create index task_owners_of on task_owners (execution);

-- Which executions are no agents: workflows, and tasks that belong to nothing else.
create table natures (
    nature    text not null check (nature in ('WORKFLOW', 'TASK')),
    execution integer not null,
    primary key (nature, execution)
) strict, without rowid;

-- Workers that poll, as they have registered. `seen_at` is about when they last said anything.
create table registrations (
    organisation text not null,
    worker_id    text not null,
    seen_at      integer not null,
    record       blob not null,
    primary key (organisation, worker_id)
) strict, without rowid;
