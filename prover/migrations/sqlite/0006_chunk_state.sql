-- The cut of a batch into chunks, by accounts and tree nodes too; batches before were cut without.
ALTER TABLE batches ADD COLUMN chunk_accounts INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE batches ADD COLUMN chunk_nodes    INTEGER NOT NULL DEFAULT 9223372036854775807;
