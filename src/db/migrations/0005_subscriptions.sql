-- One row a subscription. After the insert only activities of its own workflow change its state, each guarded by
-- `version` (one writer: ARCHITECTURE.md).
CREATE TABLE subscriptions (
  id text PRIMARY KEY,
  customer_id text NOT NULL REFERENCES customers (id),
  name text NOT NULL,
  description text,
  metadata jsonb,
  plan_id text REFERENCES plans (id),
  plan_key text,
  plan_version integer,
  currency text NOT NULL,
  -- Snapshots taken at creation (billing rules 3 and 23).
  timezone text NOT NULL,
  billing_cadence text NOT NULL,
  billing_anchor timestamptz NOT NULL,
  pro_rating_enabled boolean NOT NULL,
  phases jsonb NOT NULL,
  active_from timestamptz NOT NULL,
  active_to timestamptz,
  -- scheduled | active | canceled | inactive | parked: ours (`lifecycle`); the contract's status is derived from it.
  lifecycle text NOT NULL DEFAULT 'scheduled',
  lifecycle_reason text,
  -- The last closing instant that was billed, and the next instant its workflow has to act at (null: nothing to come).
  closed_through timestamptz,
  next_due_at timestamptz,
  next_closing_at timestamptz,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX subscriptions_customer ON subscriptions (customer_id);
CREATE INDEX subscriptions_due ON subscriptions (next_due_at) WHERE next_due_at IS NOT NULL;

-- Commands that were accepted, by the caller's request id: update ids are forgotten when a workflow continues as new.
CREATE TABLE subscription_commands (
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  request_id text NOT NULL,
  kind text NOT NULL,
  effective_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscription_id, request_id)
);
