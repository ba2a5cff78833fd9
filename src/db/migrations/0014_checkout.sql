-- The configuration of Stripe's customer portal that was made for the app: once, and again when it is gone there.
ALTER TABLE apps ADD COLUMN portal_configuration_id text;

ALTER TABLE customer_apps
  ADD COLUMN labels jsonb,
  -- When the default payment method was last named here: a checkout that was completed before does not undo it.
  ADD COLUMN payment_method_set_at timestamptz;
CREATE INDEX customer_apps_payment_method ON customer_apps (app_id, stripe_default_payment_method_id)
  WHERE stripe_default_payment_method_id IS NOT NULL;

-- customer_linked: invoices that wait for it go on. customer_changed: Stripe is told of the e-mail address.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN
  ('start_subscription', 'start_invoice', 'start_test_clock', 'invoice_outcome', 'send_bill', 'end_subscription',
   'customer_linked', 'customer_changed'));
