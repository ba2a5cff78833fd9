-- The customer that a checkout made for a request: one without a key is found again by nothing else.
CREATE TABLE checkout_requests (
  request_id text PRIMARY KEY,
  customer_id text NOT NULL REFERENCES customers (id),
  created_at timestamptz NOT NULL DEFAULT now()
);
