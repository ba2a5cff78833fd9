-- Features and plans. A plan version's phases are one document: a published version never changes, and a
-- subscription takes a snapshot of it (billing rule 23).
CREATE TABLE features (
  id text PRIMARY KEY,
  key text NOT NULL,
  name text NOT NULL,
  description text,
  metadata jsonb,
  meter_id text REFERENCES meters (id),
  meter_group_by_filters jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  archived_at timestamptz
);
CREATE UNIQUE INDEX features_key_live ON features (key) WHERE archived_at IS NULL;

CREATE TABLE plans (
  id text PRIMARY KEY,
  key text NOT NULL,
  version integer NOT NULL CHECK (version >= 1),
  name text NOT NULL,
  description text,
  metadata jsonb,
  currency text NOT NULL,
  billing_cadence text NOT NULL,
  pro_rating_enabled boolean NOT NULL DEFAULT true,
  phases jsonb NOT NULL,
  effective_from timestamptz,
  effective_to timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX plans_version_live ON plans (key, version) WHERE deleted_at IS NULL;
-- At most one draft a key.
CREATE UNIQUE INDEX plans_draft ON plans (key) WHERE deleted_at IS NULL AND effective_from IS NULL;
