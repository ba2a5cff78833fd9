-- Usage counts for the customer who had its subject when it happened (billing rule 8).
-- When customers had subjects before the last time that they got them, which is in customer_subjects.
CREATE TABLE former_customer_subjects (
  customer_id text NOT NULL REFERENCES customers (id),
  subject_key text NOT NULL,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz NOT NULL
);
CREATE INDEX former_customer_subjects_subject ON former_customer_subjects (subject_key);
-- Whether somebody had a subject before: few had.
CREATE INDEX customer_subjects_former ON customer_subjects (subject_key) WHERE deleted_at IS NOT NULL;
-- Of a slice's subjects that were the customer's for a part of its service period only: when. Null: there are none.
ALTER TABLE rated_usage ADD COLUMN subject_holds jsonb;
