-- What a batch publishes and consumes, beside the log. Blobs and L1 words themselves are in the archive.
CREATE TABLE publications (
    number      BIGINT PRIMARY KEY REFERENCES batches (number) ON DELETE CASCADE,
    queue_start BIGINT NOT NULL, -- the first operation of the contract's queue that it could consume
    queue_end   BIGINT NOT NULL, -- the first operation that it didn't consume
    blob_hashes BYTEA  NOT NULL, -- versioned hashes, 32 bytes each
    l1_hash     BYTEA  NOT NULL  -- Keccak-256 of the L1 words
);

-- Blocks up to which the contract's events were read, so that a reorg shows.
CREATE TABLE l1_marks (
    block BIGINT PRIMARY KEY,
    hash  BYTEA NOT NULL
);

-- The contract's queue.
CREATE TABLE l1_operations (
    position  BIGINT PRIMARY KEY,
    operation TEXT   NOT NULL, -- in JSON
    deadline  BIGINT NOT NULL, -- Unix seconds
    block     BIGINT NOT NULL
);
CREATE INDEX l1_operations_by_block ON l1_operations (block);

-- Batches that are final on L1.
CREATE TABLE l1_batches (
    number    BIGINT PRIMARY KEY,
    state_out BYTEA  NOT NULL,
    queue_end BIGINT NOT NULL,
    block     BIGINT NOT NULL
);

-- Transactions, each recorded before it is sent.
CREATE TABLE l1_transactions (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose       TEXT   NOT NULL, -- commit, prove or revert
    first_batch   BIGINT NOT NULL,
    last_batch    BIGINT NOT NULL,
    nonce         BIGINT NOT NULL,
    state         TEXT   NOT NULL, -- open, included, done, failed or lost
    raw           BYTEA,           -- the latest attempt as it goes to the network, while it may have to be sent again
    sent_at_ms    BIGINT NOT NULL,
    block         BIGINT,
    gas_used      BIGINT,
    cost_wei      TEXT
);
CREATE INDEX l1_transactions_by_state ON l1_transactions (state, nonce);

CREATE TABLE l1_attempts (
    hash           BYTEA  PRIMARY KEY,
    transaction_id BIGINT NOT NULL REFERENCES l1_transactions (id),
    rowid          BIGINT GENERATED ALWAYS AS IDENTITY -- in order of recording, as SQLite numbers rows by itself
);
CREATE INDEX l1_attempts_by_transaction ON l1_attempts (transaction_id);
