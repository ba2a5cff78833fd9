-- One row: since when nothing of the database was lost, as far as workers know, who note every minute that it is there.
-- Restored from a backup it has an old `seen_at`, or another server, and begins anew (billing rule 31).
CREATE TABLE continuity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  alive_since timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  -- When the server started that it was seen on, which tells servers apart.
  server_started timestamptz NOT NULL
);
