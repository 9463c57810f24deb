-- What a batch publishes and consumes, beside the log. Blobs and L1 words themselves are in the archive.
CREATE TABLE publications (
    number      INTEGER PRIMARY KEY REFERENCES batches (number) ON DELETE CASCADE,
    queue_start INTEGER NOT NULL, -- the first operation of the contract's queue that it could consume
    queue_end   INTEGER NOT NULL, -- the first operation that it didn't consume
    blob_hashes BLOB    NOT NULL, -- versioned hashes, 32 bytes each
    l1_hash     BLOB    NOT NULL  -- Keccak-256 of the L1 words
) STRICT;

-- Blocks up to which the contract's events were read, so that a reorg shows.
CREATE TABLE l1_marks (
    block INTEGER PRIMARY KEY,
    hash  BLOB NOT NULL
) STRICT;

-- The contract's queue.
CREATE TABLE l1_operations (
    position  INTEGER PRIMARY KEY,
    operation TEXT    NOT NULL, -- in JSON
    deadline  INTEGER NOT NULL, -- Unix seconds
    block     INTEGER NOT NULL
) STRICT;
CREATE INDEX l1_operations_by_block ON l1_operations (block);

-- Batches that are final on L1.
CREATE TABLE l1_batches (
    number    INTEGER PRIMARY KEY,
    state_out BLOB    NOT NULL,
    queue_end INTEGER NOT NULL,
    block     INTEGER NOT NULL
) STRICT;

-- Transactions, each recorded before it is sent.
CREATE TABLE l1_transactions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose       TEXT    NOT NULL, -- commit, prove or revert
    first_batch   INTEGER NOT NULL,
    last_batch    INTEGER NOT NULL,
    nonce         INTEGER NOT NULL,
    state         TEXT    NOT NULL, -- open, included, done, failed or lost
    raw           BLOB,             -- the latest attempt as it goes to the network, while it may have to be sent again
    sent_at_ms    INTEGER NOT NULL,
    block         INTEGER,
    gas_used      INTEGER,
    cost_wei      TEXT
) STRICT;
CREATE INDEX l1_transactions_by_state ON l1_transactions (state, nonce);

CREATE TABLE l1_attempts (
    hash           BLOB    PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES l1_transactions (id)
) STRICT;
CREATE INDEX l1_attempts_by_transaction ON l1_attempts (transaction_id);
