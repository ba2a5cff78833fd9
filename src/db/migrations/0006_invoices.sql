-- Invoice numbers run in sequence, without gaps, per supplier (billing rule 22).
CREATE TABLE invoice_number_sequences (
  supplier_key text PRIMARY KEY,
  prefix text NOT NULL,
  next_number bigint NOT NULL DEFAULT 1
);

CREATE TABLE invoices (
  id text PRIMARY KEY,
  customer_id text NOT NULL REFERENCES customers (id),
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  app_id text NOT NULL REFERENCES apps (id),
  billing_profile_id text NOT NULL,
  currency text NOT NULL,
  number text,
  draft_number text NOT NULL,
  status text NOT NULL CHECK (status IN
    ('draft', 'issuing', 'issued', 'payment_processing', 'overdue', 'paid', 'uncollectible', 'voided')),
  -- Finer state within the status, e.g. waiting_approval, waiting_draft_period, failed, action_required.
  substatus text,
  -- Why it is where it is, for people; kept until the step succeeds.
  status_reason text,
  status_code text,
  period_from timestamptz NOT NULL,
  period_to timestamptz NOT NULL,
  closing_at timestamptz NOT NULL,
  -- Money in minor units.
  subtotal_minor bigint NOT NULL,
  discount_minor bigint NOT NULL DEFAULT 0,
  tax_minor bigint NOT NULL DEFAULT 0,
  total_minor bigint NOT NULL,
  paid_minor bigint NOT NULL DEFAULT 0,
  -- Carried to the next invoice instead of being sent (billing rule 21).
  carried_minor bigint NOT NULL DEFAULT 0,
  -- Snapshots (billing rule 23).
  customer_snapshot jsonb NOT NULL,
  supplier_snapshot jsonb NOT NULL,
  workflow_snapshot jsonb NOT NULL,
  dunning_snapshot jsonb NOT NULL,
  -- What its workflow waits for (null: nothing).
  next_due_at timestamptz,
  has_workflow boolean NOT NULL DEFAULT false,
  draft_until timestamptz,
  approved_at timestamptz,
  collection_at timestamptz,
  quantity_snapshotted_at timestamptz,
  issued_at timestamptz,
  sent_at timestamptz,
  due_at timestamptz,
  paid_at timestamptz,
  voided_at timestamptz,
  uncollectible_at timestamptz,
  -- Dunning (billing rule 32): counted by payment id, retries from the first failure.
  first_failed_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  last_payment_id text,
  needs_new_payment_method boolean NOT NULL DEFAULT false,
  next_look_at timestamptz,
  -- Stripe. `sync_generation` is part of every idempotency key: raised only after reconciling by metadata (rule 31).
  stripe_customer_id text,
  stripe_invoice_id text,
  stripe_hosted_url text,
  stripe_pdf_url text,
  sync_generation integer NOT NULL DEFAULT 1,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX invoices_subscription ON invoices (subscription_id, closing_at);
CREATE INDEX invoices_customer ON invoices (customer_id, created_at);
CREATE INDEX invoices_list ON invoices (created_at DESC, id DESC);
CREATE INDEX invoices_due ON invoices (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE UNIQUE INDEX invoices_number ON invoices (number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX invoices_stripe ON invoices (app_id, stripe_invoice_id) WHERE stripe_invoice_id IS NOT NULL;

-- A line keeps its five times apart (billing rule 5), and its metered quantity with its cutoff (rule 8).
CREATE TABLE invoice_lines (
  id text PRIMARY KEY,
  invoice_id text NOT NULL REFERENCES invoices (id),
  position integer NOT NULL,
  -- Stable identity of what is billed: {phase}/{rate card}/{service period start}; late usage repeats it.
  line_key text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('flat', 'usage', 'late_usage', 'carried_balance', 'commitment')),
  name text NOT NULL,
  description text NOT NULL,
  phase_key text,
  rate_card_key text,
  rate_card jsonb,
  feature_key text,
  service_from timestamptz NOT NULL,
  service_to timestamptz NOT NULL,
  full_service_from timestamptz NOT NULL,
  full_service_to timestamptz NOT NULL,
  billing_from timestamptz NOT NULL,
  billing_to timestamptz NOT NULL,
  invoice_at timestamptz NOT NULL,
  -- pg_snapshot of the closing transaction, as text; null for fixed fees.
  usage_cutoff text,
  metered_quantity numeric,
  quantity numeric,
  amount_minor bigint NOT NULL,
  discount_minor bigint NOT NULL DEFAULT 0,
  tax_minor bigint NOT NULL DEFAULT 0,
  total_minor bigint NOT NULL,
  -- Detailed lines: what explains every cent. [{name, description, quantity, perUnitAmount, amountMinor, discountMinor,
  -- totalMinor, category, tierIndex?}]
  details jsonb NOT NULL,
  tax_config jsonb,
  stripe_line_id text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX invoice_lines_invoice ON invoice_lines (invoice_id, position);

-- A period is closed exactly once (billing rule 29). Voiding does not free the key; a re-issue adds a generation.
CREATE TABLE closings (
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  period_at timestamptz NOT NULL,
  reason text NOT NULL CHECK (reason IN ('period', 'correction')),
  sequence integer NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 1,
  period_from timestamptz NOT NULL,
  invoice_id text REFERENCES invoices (id),
  usage_cutoff text NOT NULL,
  as_of timestamptz NOT NULL,
  closed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscription_id, period_at, reason, sequence, generation)
);
CREATE INDEX closings_invoice ON closings (invoice_id);

-- What was rated for a usage slice, over every invoice it was billed on: the base that late usage is the difference to.
CREATE TABLE rated_usage (
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  line_key text NOT NULL,
  service_from timestamptz NOT NULL,
  service_to timestamptz NOT NULL,
  feature_key text NOT NULL,
  phase_key text NOT NULL,
  rate_card jsonb NOT NULL,
  full_service_from timestamptz NOT NULL,
  full_service_to timestamptz NOT NULL,
  quantity numeric NOT NULL,
  billed_minor bigint NOT NULL,
  usage_cutoff text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscription_id, line_key)
);
CREATE INDEX rated_usage_period ON rated_usage (subscription_id, service_to);

-- What a subscription owes or is owed without having been sent to the processor (billing rule 21).
CREATE TABLE ledger_entries (
  id text PRIMARY KEY,
  subscription_id text NOT NULL REFERENCES subscriptions (id),
  customer_id text NOT NULL REFERENCES customers (id),
  currency text NOT NULL,
  amount_minor bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('carried_out', 'carried_in', 'customer_balance_payment', 'late_payment', 'remainder')),
  invoice_id text REFERENCES invoices (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_entries_subscription ON ledger_entries (subscription_id, currency);

-- What happened to an invoice or a subscription, for people.
CREATE TABLE timeline (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject_type text NOT NULL CHECK (subject_type IN ('subscription', 'invoice')),
  subject_id text NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  detail text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX timeline_subject ON timeline (subject_type, subject_id, id);
