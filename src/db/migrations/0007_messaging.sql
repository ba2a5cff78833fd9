-- Outbox: a row and the request to start its workflow are one transaction (one writer: ARCHITECTURE.md).
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('start_subscription', 'start_invoice', 'start_test_clock', 'invoice_outcome')),
  subject_id text NOT NULL,
  payload jsonb NOT NULL DEFAULT '{}',
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz
);
CREATE INDEX outbox_pending ON outbox (next_attempt_at) WHERE done_at IS NULL;

-- Inbox: Stripe's events under their unique id (billing rule 30). Ids and types only; the object is fetched.
CREATE TABLE stripe_events (
  event_id text PRIMARY KEY,
  app_id text NOT NULL REFERENCES apps (id),
  type text NOT NULL,
  object_id text NOT NULL,
  -- From the object's metadata when Stripe sends it: finds the invoice even before its Stripe id is stored.
  invoice_id text,
  created_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  outcome text,
  processed_at timestamptz
);
CREATE INDEX stripe_events_pending ON stripe_events (next_attempt_at) WHERE processed_at IS NULL;
CREATE INDEX stripe_events_object ON stripe_events (object_id);
