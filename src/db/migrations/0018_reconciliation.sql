-- Passes of the reconciler over everything, each in many small looks; `next_after` is where the next look goes on.
CREATE TABLE reconciliation_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at timestamptz NOT NULL,
  looked_at timestamptz NOT NULL,
  ended_at timestamptz,
  next_after text,
  examined integer NOT NULL DEFAULT 0,
  -- All of them counted, the first hundred kept.
  findings_count integer NOT NULL DEFAULT 0,
  findings jsonb NOT NULL DEFAULT '[]',
  -- What the last look failed with; it goes on from the same place.
  error text
);

-- How far Stripe's events were read to see whether webhooks were lost: a restored database reads on from where it was.
ALTER TABLE apps
  ADD COLUMN reconciled_event text,
  ADD COLUMN reconciled_at timestamptz;

-- Few invoices wait, however many there are.
CREATE INDEX invoices_waiting ON invoices (id) WHERE status NOT IN ('paid', 'voided', 'uncollectible');
-- Rows come in this order and go in it: a brief index is enough to find the old ones.
CREATE INDEX stripe_events_received ON stripe_events USING brin (received_at);
