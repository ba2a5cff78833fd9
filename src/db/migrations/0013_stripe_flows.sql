-- How an app was set up and what it lacks. `managed`: we made its webhook endpoint; `manual`: a person typed the secret of
-- an endpoint of theirs, and what that endpoint or the key lacks is made up for by looking.
ALTER TABLE apps
  ADD COLUMN setup text NOT NULL DEFAULT 'managed' CHECK (setup IN ('managed', 'manual')),
  ADD COLUMN status_reason text,
  ADD COLUMN customer_portal_url text,
  ADD COLUMN missing_permissions text[] NOT NULL DEFAULT '{}',
  -- While a signing secret is rolled there are two.
  ADD COLUMN webhook_secret_previous_encrypted text,
  ADD COLUMN webhook_secret_previous_until timestamptz;

-- What the contract's profile lacks, beside dunning and late usage.
-- access: {gate: none | first_invoice}
-- stripe: {billing: invoice | subscription_items, synchronize: at_issuing | continuously,
--          send: every_bill | approved_bills, paymentMethodTypes: [text]}
ALTER TABLE billing_profiles
  ADD COLUMN default_currency text,
  ADD COLUMN access jsonb NOT NULL DEFAULT '{"gate": "none"}',
  ADD COLUMN stripe jsonb NOT NULL
    DEFAULT '{"billing": "invoice", "synchronize": "at_issuing", "send": "every_bill", "paymentMethodTypes": []}';
ALTER TABLE billing_overrides
  ADD COLUMN dunning jsonb,
  ADD COLUMN late_usage jsonb,
  ADD COLUMN access jsonb,
  ADD COLUMN stripe jsonb;
ALTER TABLE plans ADD COLUMN access_gate text CHECK (access_gate IN ('none', 'first_invoice'));

ALTER TABLE customer_apps ADD COLUMN stripe_deleted_at timestamptz;

ALTER TABLE subscriptions
  ADD COLUMN access_gate text NOT NULL DEFAULT 'none' CHECK (access_gate IN ('none', 'first_invoice')),
  -- The subscription at Stripe that this one was made from, and whose invoices its items are billed on.
  ADD COLUMN stripe_app_id text REFERENCES apps (id),
  ADD COLUMN stripe_subscription_id text;
CREATE UNIQUE INDEX subscriptions_stripe ON subscriptions (stripe_app_id, stripe_subscription_id)
  WHERE stripe_subscription_id IS NOT NULL;

-- When the first payment opened a gated subscription. Written by the invoice's step, so not on the subscription's row.
CREATE TABLE subscription_access (
  subscription_id text PRIMARY KEY REFERENCES subscriptions (id),
  invoice_id text NOT NULL REFERENCES invoices (id),
  opened_at timestamptz NOT NULL
);

-- Asked for before the gate opened: granted in the transaction that books the payment.
CREATE TABLE access_requests (
  id text PRIMARY KEY,
  customer_id text NOT NULL REFERENCES customers (id),
  subscription_id text REFERENCES subscriptions (id),
  feature_key text,
  status text NOT NULL CHECK (status IN ('pending', 'granted', 'withdrawn')),
  requested_at timestamptz NOT NULL,
  granted_at timestamptz,
  metadata jsonb,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX access_requests_customer ON access_requests (customer_id, id);

-- The running invoice of an open period (status draft, substatus accruing): at most one a subscription.
ALTER TABLE invoices
  ADD COLUMN stripe_snapshot jsonb NOT NULL
    DEFAULT '{"billing": "invoice", "synchronize": "at_issuing", "send": "every_bill", "paymentMethodTypes": []}',
  ADD COLUMN runs integer NOT NULL DEFAULT 0,
  ADD COLUMN rated_at timestamptz,
  -- What Stripe was last sent of it; behind `rated_at`: there is something to send.
  ADD COLUMN sent_to_stripe_at timestamptz,
  -- Tax as it turned out: null (not asked for) | computed | skipped (no tax location and not enforced) | failed
  ADD COLUMN tax_outcome text;
CREATE UNIQUE INDEX invoices_accruing ON invoices (subscription_id) WHERE substatus = 'accruing';

-- Items on a Stripe customer's next invoice, that Stripe bills (billing: subscription_items). The items of a line add up to it.
CREATE TABLE stripe_items (
  -- Ours, part of the idempotency key; the Stripe id comes with the reply.
  id text PRIMARY KEY,
  invoice_id text NOT NULL REFERENCES invoices (id),
  line_key text NOT NULL,
  sequence integer NOT NULL,
  stripe_item_id text,
  amount_minor bigint NOT NULL,
  description text NOT NULL,
  -- Where Stripe put it, and what became of that invoice.
  stripe_invoice_id text,
  stripe_invoice_status text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (invoice_id, line_key, sequence)
);
CREATE INDEX stripe_items_invoice_at_stripe ON stripe_items (stripe_invoice_id) WHERE stripe_invoice_id IS NOT NULL;

-- Which plan a price at Stripe stands for, when a subscription is made there.
CREATE TABLE stripe_plan_mappings (
  app_id text NOT NULL REFERENCES apps (id),
  stripe_price_id text NOT NULL,
  plan_key text NOT NULL,
  plan_version integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (app_id, stripe_price_id)
);

-- Subscriptions that were made at Stripe, and what came of them here: imported, or why not.
CREATE TABLE stripe_subscription_imports (
  app_id text NOT NULL REFERENCES apps (id),
  stripe_subscription_id text NOT NULL,
  subscription_id text REFERENCES subscriptions (id),
  status text NOT NULL CHECK (status IN ('imported', 'ended', 'not_mapped', 'failed')),
  reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (app_id, stripe_subscription_id)
);

-- What happened to the money of an invoice after it was collected, under Stripe's id.
CREATE TABLE invoice_adjustments (
  id text PRIMARY KEY,
  invoice_id text NOT NULL REFERENCES invoices (id),
  kind text NOT NULL CHECK (kind IN ('refund', 'dispute', 'credit_note')),
  status text NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  reason text,
  at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX invoice_adjustments_invoice ON invoice_adjustments (invoice_id, at);

-- The object an event is about; `object_id` is the invoice or customer that it concerns.
ALTER TABLE stripe_events ADD COLUMN source_id text;

-- send_bill: what a running invoice has become goes to Stripe. end_subscription: it ended at Stripe.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN
  ('start_subscription', 'start_invoice', 'start_test_clock', 'invoice_outcome', 'send_bill', 'end_subscription'));
