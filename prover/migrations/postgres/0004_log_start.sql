-- Where a log begins that continues what L1 has; empty for one that begins with genesis.
CREATE TABLE log_start (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    number    BIGINT NOT NULL, -- the last batch before the log's first
    timestamp BIGINT NOT NULL,
    state     BYTEA  NOT NULL, -- after that batch
    queue_end BIGINT NOT NULL  -- the first operation of the contract's queue that final batches didn't consume
);
