-- What is wrong with the webhook endpoint at Stripe, as the worker last saw it; null: nothing known.
-- polls_events: its events are read from Stripe's list meanwhile, and once more after it is repaired.
ALTER TABLE apps
  ADD COLUMN webhook_problem text,
  ADD COLUMN webhook_checked_at timestamptz,
  ADD COLUMN polls_events boolean NOT NULL DEFAULT false;
