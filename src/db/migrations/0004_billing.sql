-- Installed apps (a Stripe account each), billing profiles and who is billed by which.
CREATE TABLE apps (
  id text PRIMARY KEY,
  type text NOT NULL CHECK (type IN ('stripe', 'sandbox', 'custom_invoicing')),
  name text NOT NULL,
  description text,
  metadata jsonb,
  status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'unauthorized')),
  livemode boolean NOT NULL DEFAULT false,
  stripe_account_id text,
  -- Envelope-encrypted (src/stripe/secrets.ts); only the mask may be shown.
  api_key_encrypted text,
  api_key_mask text,
  webhook_endpoint_id text,
  webhook_secret_encrypted text,
  events_cursor text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);

CREATE TABLE billing_profiles (
  id text PRIMARY KEY,
  name text NOT NULL,
  description text,
  metadata jsonb,
  is_default boolean NOT NULL DEFAULT false,
  app_id text NOT NULL REFERENCES apps (id),
  supplier jsonb NOT NULL,
  -- The contract's workflow document, defaults filled in: collection, invoicing, payment, tax.
  workflow jsonb NOT NULL,
  -- What the contract lacks: {retries: ISO durations from the first failure, end, grace}.
  dunning jsonb NOT NULL,
  -- {policy: bill_on_next | ignore, window: ISO duration}
  late_usage jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX billing_profiles_default ON billing_profiles (is_default) WHERE is_default AND deleted_at IS NULL;

CREATE TABLE billing_overrides (
  customer_id text PRIMARY KEY REFERENCES customers (id),
  billing_profile_id text REFERENCES billing_profiles (id),
  workflow jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customer_apps (
  customer_id text NOT NULL REFERENCES customers (id),
  app_id text NOT NULL REFERENCES apps (id),
  stripe_customer_id text NOT NULL,
  stripe_default_payment_method_id text,
  -- The Stripe test clock the Stripe customer stands on: advanced together with ours.
  stripe_test_clock_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, app_id)
);
CREATE INDEX customer_apps_stripe_customer ON customer_apps (app_id, stripe_customer_id);
