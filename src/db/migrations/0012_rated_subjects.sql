-- The subjects a usage slice was rated with: late usage is rated with them again, whatever the customer's are by then
-- (billing rules 8, 9, 23).
ALTER TABLE rated_usage ADD COLUMN subject_keys text[];

-- Slices of before: as the newest invoice that bills them has it, else the customer's of now.
UPDATE rated_usage r SET subject_keys = coalesce(
  (SELECT ARRAY(SELECT jsonb_array_elements_text(i.customer_snapshot #> '{usageAttribution,subjectKeys}'))
   FROM invoice_lines l JOIN invoices i ON i.id = l.invoice_id
   WHERE i.subscription_id = r.subscription_id AND l.line_key = r.line_key AND l.kind IN ('usage', 'late_usage')
   ORDER BY i.created_at DESC, i.id DESC LIMIT 1),
  (SELECT ARRAY(SELECT c.subject_key FROM customer_subjects c WHERE c.customer_id = s.customer_id AND c.deleted_at IS NULL)
   FROM subscriptions s WHERE s.id = r.subscription_id));

ALTER TABLE rated_usage ALTER COLUMN subject_keys SET NOT NULL;
