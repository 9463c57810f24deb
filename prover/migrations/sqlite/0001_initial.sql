-- Whose data this is: recorded at first use, compared at every start.
CREATE TABLE identity (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- The log of accepted batches, without gaps: the source of the account state.
CREATE TABLE batches (
    number         INTEGER PRIMARY KEY,
    timestamp      INTEGER NOT NULL,
    payload        TEXT    NOT NULL, -- the batch in JSON
    chunk_slots    INTEGER NOT NULL, -- the cut it was executed with
    chunk_opens    INTEGER NOT NULL,
    chunk_l1_words INTEGER NOT NULL,
    chunks         INTEGER NOT NULL,
    l1_operations  INTEGER NOT NULL,
    transactions   INTEGER NOT NULL,
    state_in       BLOB    NOT NULL,
    state_out      BLOB    NOT NULL,
    commitment     BLOB    NOT NULL,
    z_d            BLOB    NOT NULL, -- points and evaluations of its streams
    y_d            BLOB    NOT NULL,
    z_l            BLOB    NOT NULL,
    y_l            BLOB    NOT NULL,
    job_id         TEXT    NOT NULL REFERENCES jobs (id),
    aggregation_id INTEGER REFERENCES aggregations (id),
    proven_at_ms   INTEGER           -- when its last leaf proof was stored
) STRICT;

CREATE TABLE jobs (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    idempotency_key TEXT    NOT NULL,
    payload_digest  BLOB    NOT NULL,
    state           TEXT    NOT NULL,
    batch_number    INTEGER NOT NULL,
    timestamp       INTEGER NOT NULL,
    l1_operations   INTEGER NOT NULL,
    transactions    INTEGER NOT NULL,
    chunks          INTEGER NOT NULL,
    state_in        BLOB    NOT NULL,
    state_out       BLOB    NOT NULL,
    commitment      BLOB    NOT NULL,
    z_d             BLOB    NOT NULL,
    y_d             BLOB    NOT NULL,
    z_l             BLOB    NOT NULL,
    y_l             BLOB    NOT NULL,
    leaves_done     INTEGER NOT NULL DEFAULT 0,
    aggregation_id  INTEGER,
    error_reason    TEXT,
    error_message   TEXT,
    created_at_ms   INTEGER NOT NULL,
    updated_at_ms   INTEGER NOT NULL,
    last_sequence   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_key ON jobs (idempotency_key, position);
CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE events (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id        TEXT    NOT NULL REFERENCES jobs (id),
    time_ms       INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    leaves_done   INTEGER NOT NULL,
    leaves        INTEGER NOT NULL,
    message       TEXT    NOT NULL,
    error_reason  TEXT,
    error_message TEXT
) STRICT;
CREATE INDEX events_by_job ON events (job_id, sequence);

CREATE TABLE aggregations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    first_batch   INTEGER NOT NULL,
    last_batch    INTEGER NOT NULL,
    leaves        INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT    NOT NULL, -- leaf or aggregate
    state           TEXT    NOT NULL, -- blocked, pending, leased, done, failed, cancelled
    job_id          TEXT    REFERENCES jobs (id),               -- leaf
    aggregation_id  INTEGER REFERENCES aggregations (id),       -- aggregate
    batch_number    INTEGER NOT NULL, -- of an aggregation, the first
    chunk           INTEGER NOT NULL DEFAULT 0,
    witness_digest  BLOB,
    starts          INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    fence           INTEGER NOT NULL DEFAULT 0,
    lease_owner     TEXT,
    lease_until_ms  INTEGER,
    not_before_ms   INTEGER NOT NULL DEFAULT 0,
    input_digest    BLOB,             -- of the result, once done
    key_digest      BLOB,
    reused          INTEGER NOT NULL DEFAULT 0,
    error           TEXT
) STRICT;
CREATE INDEX tasks_by_state ON tasks (state, kind, batch_number, chunk);
CREATE INDEX tasks_by_job ON tasks (job_id, chunk);
CREATE INDEX tasks_by_aggregation ON tasks (aggregation_id);

-- Proofs made, by the digest of everything they were made from.
CREATE TABLE results (
    input_digest      BLOB    PRIMARY KEY,
    stage             TEXT    NOT NULL,
    proof_digest      BLOB    NOT NULL, -- names the file
    circuit           TEXT    NOT NULL,
    key_digest        BLOB    NOT NULL,
    srs_digest        BLOB    NOT NULL,
    seconds           REAL    NOT NULL,
    peak_memory_bytes INTEGER NOT NULL,
    hardware          TEXT    NOT NULL,
    created_at_ms     INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoints (
    batch_number INTEGER PRIMARY KEY,
    file_digest  BLOB    NOT NULL
) STRICT;
