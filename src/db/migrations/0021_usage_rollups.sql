-- Rollups of usage, made from stored events in the background. A series is what is measured, not a meter: meters that
-- measure the same share one.
CREATE TABLE usage_series (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_type text NOT NULL,
  keeps text NOT NULL CHECK (keeps IN ('count', 'sum', 'extremes', 'latest')),
  -- Null where only events are counted.
  value_property text,
  group_by jsonb NOT NULL,
  -- The rollups hold exactly the events up to this one, written in the transaction that counts them: whoever sees a
  -- row here sees its rollups, and finds the rest in events behind it (billing rule 8).
  rolled_seq bigint NOT NULL DEFAULT 0,
  -- No meter measures this any more: nobody reads it, and its rollups are being deleted.
  obsolete boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX usage_series_event_type ON usage_series (event_type);

CREATE TABLE usage_rollups (
  series_id int NOT NULL,
  -- How long the bucket is. Quarters of an hour: zones with +05:45 exist.
  minutes smallint NOT NULL,
  subject text NOT NULL,
  bucket timestamptz NOT NULL,
  -- Empty without groups, else SHA-256 of them: values may be longer than an index entry.
  group_digest bytea NOT NULL,
  groups text[],
  count bigint NOT NULL,
  sum numeric,
  low numeric,
  high numeric,
  latest numeric,
  latest_time timestamptz,
  latest_seq bigint,
  -- Who wrote the row last. A cutoff that sees this one sees every event in it.
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (series_id, minutes, subject, bucket, group_digest)
) WITH (fillfactor = 80);
