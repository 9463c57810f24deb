-- The server in charge: its transactions are refused once the epoch isn't its own any more.
CREATE TABLE service (
    id              BIGINT PRIMARY KEY CHECK (id = 1),
    epoch           BIGINT NOT NULL,
    leaf_key        BYTEA  NOT NULL, -- digests of the keys that it proves with
    aggregation_key BYTEA  NOT NULL
);
INSERT INTO service (id, epoch, leaf_key, aggregation_key) VALUES (1, 0, '', '');

-- Since when a leased task is in work. A task whose witness is lost has the state lost until it is made again.
ALTER TABLE tasks ADD COLUMN leased_at_ms BIGINT;
