-- outside a transaction
-- An event is looked for by its id. Every event writes every index: this one costs a third of what the one on
-- (source, id) did, which nothing needs to keep identities unique (event_identities does).
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_id ON events USING hash (id);
DROP INDEX CONCURRENTLY IF EXISTS events_identity;
