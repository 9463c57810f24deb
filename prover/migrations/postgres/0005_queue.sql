-- Steps that the client asked to be ahead of others.
ALTER TABLE jobs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;

-- Tasks go to workers in this order: when their batch was accepted, less what its priority puts it ahead. Tasks from
-- before this column are older than all others.
ALTER TABLE tasks ADD COLUMN rank_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tasks_by_rank ON tasks (state, rank_ms, batch_number, chunk);

-- Workers in a row that were lost with the task.
ALTER TABLE tasks ADD COLUMN losses BIGINT NOT NULL DEFAULT 0;
