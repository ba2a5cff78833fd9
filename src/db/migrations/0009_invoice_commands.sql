-- Commands on invoices that were accepted, by the caller's request id: a step that is run again does not act twice.
CREATE TABLE invoice_commands (
  invoice_id text NOT NULL REFERENCES invoices (id),
  request_id text NOT NULL,
  kind text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (invoice_id, request_id)
);
