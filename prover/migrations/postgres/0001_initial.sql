-- Whose data this is: recorded at first use, compared at every start.
CREATE TABLE identity (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE jobs (
    position        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              TEXT   NOT NULL UNIQUE,
    idempotency_key TEXT   NOT NULL,
    payload_digest  BYTEA  NOT NULL,
    state           TEXT   NOT NULL,
    batch_number    BIGINT NOT NULL,
    timestamp       BIGINT NOT NULL,
    l1_operations   BIGINT NOT NULL,
    transactions    BIGINT NOT NULL,
    chunks          BIGINT NOT NULL,
    state_in        BYTEA  NOT NULL,
    state_out       BYTEA  NOT NULL,
    commitment      BYTEA  NOT NULL,
    z_d             BYTEA  NOT NULL, -- points and evaluations of its streams
    y_d             BYTEA  NOT NULL,
    z_l             BYTEA  NOT NULL,
    y_l             BYTEA  NOT NULL,
    leaves_done     BIGINT NOT NULL DEFAULT 0,
    aggregation_id  BIGINT,
    error_reason    TEXT,
    error_message   TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    last_sequence   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_key ON jobs (idempotency_key, position);
CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE events (
    sequence      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id        TEXT   NOT NULL REFERENCES jobs (id),
    time_ms       BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    leaves_done   BIGINT NOT NULL,
    leaves        BIGINT NOT NULL,
    message       TEXT   NOT NULL,
    error_reason  TEXT,
    error_message TEXT
);
CREATE INDEX events_by_job ON events (job_id, sequence);

CREATE TABLE aggregations (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_batch   BIGINT NOT NULL,
    last_batch    BIGINT NOT NULL,
    leaves        BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- The log of accepted batches, without gaps: the source of the account state.
CREATE TABLE batches (
    number         BIGINT PRIMARY KEY,
    timestamp      BIGINT NOT NULL,
    payload        TEXT   NOT NULL, -- the batch in JSON
    chunk_slots    BIGINT NOT NULL, -- the cut it was executed with
    chunk_opens    BIGINT NOT NULL,
    chunk_l1_words BIGINT NOT NULL,
    chunks         BIGINT NOT NULL,
    l1_operations  BIGINT NOT NULL,
    transactions   BIGINT NOT NULL,
    state_in       BYTEA  NOT NULL,
    state_out      BYTEA  NOT NULL,
    commitment     BYTEA  NOT NULL,
    z_d            BYTEA  NOT NULL,
    y_d            BYTEA  NOT NULL,
    z_l            BYTEA  NOT NULL,
    y_l            BYTEA  NOT NULL,
    job_id         TEXT   NOT NULL REFERENCES jobs (id),
    aggregation_id BIGINT REFERENCES aggregations (id),
    proven_at_ms   BIGINT           -- when its last leaf proof was stored
);
CREATE INDEX batches_by_job ON batches (job_id);

CREATE TABLE tasks (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            TEXT   NOT NULL, -- leaf or aggregate
    state           TEXT   NOT NULL, -- blocked, pending, leased, done, failed, cancelled
    job_id          TEXT   REFERENCES jobs (id),         -- leaf
    aggregation_id  BIGINT REFERENCES aggregations (id), -- aggregate
    batch_number    BIGINT NOT NULL, -- of an aggregation, the first
    chunk           BIGINT NOT NULL DEFAULT 0,
    witness_digest  BYTEA,
    starts          BIGINT NOT NULL DEFAULT 0,
    failures        BIGINT NOT NULL DEFAULT 0,
    fence           BIGINT NOT NULL DEFAULT 0,
    lease_owner     TEXT,
    lease_until_ms  BIGINT,
    not_before_ms   BIGINT NOT NULL DEFAULT 0,
    input_digest    BYTEA,           -- of the result, once done
    key_digest      BYTEA,
    reused          BIGINT NOT NULL DEFAULT 0,
    error           TEXT
);
CREATE INDEX tasks_by_state ON tasks (state, kind, batch_number, chunk);
CREATE INDEX tasks_by_job ON tasks (job_id, chunk);
CREATE INDEX tasks_by_aggregation ON tasks (aggregation_id);

-- Proofs made, by the digest of everything they were made from.
CREATE TABLE results (
    input_digest      BYTEA  PRIMARY KEY,
    stage             TEXT   NOT NULL,
    proof_digest      BYTEA  NOT NULL, -- names the file
    circuit           TEXT   NOT NULL,
    key_digest        BYTEA  NOT NULL,
    srs_digest        BYTEA  NOT NULL,
    seconds           DOUBLE PRECISION NOT NULL,
    peak_memory_bytes BIGINT NOT NULL,
    hardware          TEXT   NOT NULL,
    created_at_ms     BIGINT NOT NULL
);
CREATE INDEX results_by_stage ON results (stage, created_at_ms);

CREATE TABLE checkpoints (
    batch_number BIGINT PRIMARY KEY,
    file_digest  BYTEA  NOT NULL
);
