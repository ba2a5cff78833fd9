-- Who is changing what a Stripe customer is charged: kept outside any transaction, since a call to Stripe may be long.
CREATE TABLE stripe_customer_turns (
  app_id text NOT NULL,
  stripe_customer_id text NOT NULL,
  holder text NOT NULL,
  held_until timestamptz NOT NULL,
  PRIMARY KEY (app_id, stripe_customer_id)
);
