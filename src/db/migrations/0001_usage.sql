-- Meters and usage events. Identity lives in a table of its own (billing rule 7): events can be partitioned by
-- time and customer later without losing exact deduplication on (source, id).
CREATE TABLE meters (
  id text PRIMARY KEY,
  key text NOT NULL,
  name text,
  description text,
  metadata jsonb,
  event_type text NOT NULL,
  event_from timestamptz,
  aggregation text NOT NULL CHECK (aggregation IN ('SUM', 'COUNT', 'UNIQUE_COUNT', 'AVG', 'MIN', 'MAX', 'LATEST')),
  value_property text,
  group_by jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX meters_key_live ON meters (key) WHERE deleted_at IS NULL;
CREATE INDEX meters_event_type ON meters (event_type) WHERE deleted_at IS NULL;

CREATE TABLE event_identities (
  source text NOT NULL,
  id text NOT NULL,
  PRIMARY KEY (source, id)
) PARTITION BY HASH (source, id);
CREATE TABLE event_identities_0 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE event_identities_1 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE event_identities_2 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE event_identities_3 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE event_identities_4 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE event_identities_5 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE event_identities_6 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE event_identities_7 PARTITION OF event_identities FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- `txid` makes "visible in the cutoff" (billing rule 8) a fact that can be recounted:
-- pg_visible_in_snapshot(txid, cutoff) is true for exactly the events the closing transaction saw.
CREATE TABLE events (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  source text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  subject text NOT NULL,
  time timestamptz NOT NULL,
  specversion text NOT NULL DEFAULT '1.0',
  datacontenttype text,
  dataschema text,
  data jsonb,
  validation_error text,
  ingested_at timestamptz NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (seq)
);
CREATE INDEX events_usage ON events (type, subject, time);
CREATE INDEX events_time ON events (time DESC, seq DESC);
CREATE INDEX events_identity ON events (source, id);
