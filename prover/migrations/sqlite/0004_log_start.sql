-- Where a log begins that continues what L1 has; empty for one that begins with genesis.
CREATE TABLE log_start (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    number    INTEGER NOT NULL, -- the last batch before the log's first
    timestamp INTEGER NOT NULL,
    state     BLOB    NOT NULL, -- after that batch
    queue_end INTEGER NOT NULL  -- the first operation of the contract's queue that final batches didn't consume
) STRICT;
