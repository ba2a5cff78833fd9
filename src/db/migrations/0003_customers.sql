-- Test clocks come first: a customer may be attached to one when created, and never after.
CREATE TABLE test_clocks (
  id text PRIMARY KEY,
  name text NOT NULL,
  frozen_time timestamptz NOT NULL,
  target_time timestamptz,
  status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'advancing', 'internal_failure')),
  status_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);

CREATE TABLE customers (
  id text PRIMARY KEY,
  key text,
  name text NOT NULL,
  description text,
  metadata jsonb,
  primary_email text,
  currency text,
  timezone text NOT NULL DEFAULT 'UTC',
  billing_address jsonb,
  test_clock_id text REFERENCES test_clocks (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX customers_key_live ON customers (key) WHERE deleted_at IS NULL;
CREATE INDEX customers_test_clock ON customers (test_clock_id) WHERE test_clock_id IS NOT NULL;

-- A usage subject belongs to one living customer: a unit is billed once.
CREATE TABLE customer_subjects (
  customer_id text NOT NULL REFERENCES customers (id),
  subject_key text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  PRIMARY KEY (customer_id, subject_key)
);
CREATE UNIQUE INDEX customer_subjects_live ON customer_subjects (subject_key) WHERE deleted_at IS NULL;
