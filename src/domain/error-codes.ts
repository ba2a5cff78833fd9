export interface ErrorCodeEntry {
  /** HTTP status that the API answers with. */
  readonly status: number
  /** What happened, in one short sentence. */
  readonly title: string
  /** What the caller does next. */
  readonly todo: string
}

const entry = (status: number, title: string, todo: string): ErrorCodeEntry => ({ status, title, todo })

/** The one table of error codes. After a change: npx tsx scripts/generate-error-docs.ts writes docs/errors.md from it. */
export const errorCodes = {
  // The request itself
  validation_failed: entry(400, 'The request is not valid', 'Correct the named fields and send it again.'),
  malformed_body: entry(400, 'The body cannot be read', 'Send well-formed JSON with the right Content-Type.'),
  unsupported_media_type: entry(415, 'The content type is not supported', 'Send application/json.'),
  nul_character: entry(400, 'The request holds a NUL character', 'Remove U+0000 from the named field.'),
  body_too_large: entry(413, 'The request body is too large', 'Send fewer items in one request.'),
  headers_too_large: entry(
    431,
    'The address or the headers are too long',
    'Send fewer or shorter parameters and headers: 16 kB together.',
  ),
  request_timeout: entry(408, 'The request did not arrive in time', 'Send it again, without pauses.'),
  malformed_request: entry(400, 'This is not HTTP', 'Send well-formed HTTP/1.1.'),
  not_found: entry(404, 'There is no such resource', 'Check the id or key, and that it was not deleted.'),
  profile_missing: entry(
    409,
    'No billing profile applies',
    'Create a default billing profile, or link the customer to one.',
  ),
  customer_not_linked: entry(
    409,
    'The customer is not linked to the Stripe app',
    'Link the customer to a Stripe customer, then retry.',
  ),
  conflict: entry(
    409,
    'The resource changed meanwhile',
    'Read it again and repeat the request if it still applies.',
  ),
  duplicate_key: entry(409, 'The key is taken', 'Choose another key, or use the resource that has it.'),
  unauthorized: entry(
    401,
    'The API key is missing or unknown',
    'Send `Authorization: Bearer <key>` with a key that was not revoked.',
  ),
  forbidden: entry(403, 'The API key may not do this', 'Use a key that has the scope this route needs.'),
  idempotency_key_reused: entry(
    422,
    'The idempotency key was used for another request',
    'Send a new key with a new request.',
  ),
  idempotency_key_in_use: entry(
    409,
    'A request with this idempotency key is still running',
    'Wait a moment and repeat the request with the same key.',
  ),
  too_many_requests: entry(
    429,
    'Too many requests at once',
    'Repeat the request after as many seconds as the header Retry-After says; nothing of it was done.',
  ),
  command_pending: entry(
    429,
    'The command is not carried out yet',
    'The workers are behind, and it may still be carried out. Repeat it with the same Idempotency-Key after as many seconds as Retry-After says: the answer is what came of it. Without a key, read the resource first.',
  ),
  not_implemented: entry(
    501,
    'This route is not there yet',
    'See the table of supported methods in the documentation.',
  ),
  service_unavailable: entry(
    503,
    'A service that this needs is not reachable',
    'Repeat the request later; nothing was lost.',
  ),
  internal_error: entry(
    500,
    'Something unexpected went wrong',
    'Repeat the request; if it persists, look for the request id in the log.',
  ),
  bind_refused: entry(
    500,
    'Without an API key the server listens on loopback only',
    'Create a key with `perennial keys create`, or listen on 127.0.0.1.',
  ),

  // Values
  unknown_currency: entry(400, 'The currency is unknown', 'Use an active ISO 4217 code such as USD.'),
  currency_mismatch: entry(400, 'The currencies differ', 'Bill one currency per subscription.'),
  invalid_decimal: entry(
    400,
    'The number is not a decimal',
    'Send a decimal as a string, e.g. "0.000003", of at most 64 digits.',
  ),
  amount_too_large: entry(
    409,
    'An amount is more than an invoice can hold',
    'Correct the price or the count that is wrong by many digits, then release the subscription that was parked at it.',
  ),
  invalid_duration: entry(400, 'The duration is not valid', 'Use an ISO 8601 duration such as P1M or P14D.'),
  invalid_time_zone: entry(400, 'The time zone is unknown', 'Use an IANA name such as Europe/Berlin.'),
  invalid_json_path: entry(400, 'The JSONPath is not valid', 'Use a path such as $.tokens.'),
  invalid_cloud_event: entry(
    400,
    'The event is not a valid CloudEvent',
    'Send id, source, type and subject; see the CloudEvents specification 1.0.',
  ),

  // Catalog
  invalid_meter: entry(
    400,
    'The meter is not valid',
    'Correct the named field; see the aggregations of meters.',
  ),
  meter_in_use: entry(409, 'The meter is used by a feature', 'Archive the features that use it first.'),
  feature_in_use: entry(409, 'The feature is used by a plan', 'Remove it from the plans that use it first.'),
  cadence_not_divisible: entry(
    400,
    'The cadences do not divide each other',
    'Use cadences of which the longer is a multiple of the shorter in every calendar, e.g. P1M and P3M.',
  ),
  tier_open_end_missing: entry(
    400,
    'The last tier is not open',
    'Leave out upToAmount of the last tier, and of no other.',
  ),
  tier_bounds_not_increasing: entry(
    400,
    'The bounds of the tiers do not increase',
    'Give each tier a larger upToAmount than the one before.',
  ),
  plan_not_draft: entry(409, 'The plan is not a draft', 'Create a new version of the plan and change that.'),
  plan_not_published: entry(
    409,
    'The plan is not published',
    'Publish the plan, or name a published version.',
  ),
  plan_already_published: entry(409, 'The plan is published already', 'Create a new version to change it.'),

  // Customers, profiles, apps
  customer_in_use: entry(
    409,
    'The customer still has subscriptions or open invoices',
    'Cancel its subscriptions and settle its invoices first.',
  ),
  customer_email_missing: entry(
    409,
    'The customer has no e-mail address',
    'Set primaryEmail, then retry the invoice.',
  ),
  payment_method_missing: entry(
    409,
    'The customer has no payment method',
    'Have the customer add one through Checkout or the portal, then retry the invoice.',
  ),
  too_many_access_requests: entry(
    409,
    'The customer has too many pending access requests',
    'Withdraw those that are no longer wanted, or wait for the payment that grants them.',
  ),
  profile_in_use: entry(
    409,
    'The billing profile is in use',
    'Make another profile the default and move its customers first.',
  ),
  app_in_use: entry(
    409,
    'The app is in use',
    'Point the profiles that use it to another app, unlink its customers and settle its invoices first.',
  ),
  app_already_installed: entry(
    409,
    'The Stripe account is installed already',
    'Use the app that is there; give it another key with PUT /api/v1/apps/{id}/stripe/api-key.',
  ),
  oauth_not_offered: entry(
    501,
    'Installing by OAuth is not offered',
    'Install with an API key: POST /api/v1/marketplace/listings/stripe/install/apikey.',
  ),

  // Subscriptions and test clocks
  subscription_already_canceled: entry(
    409,
    'The subscription is canceled already',
    'Nothing to do; to go on, unschedule the cancelation or subscribe again.',
  ),
  subscription_not_cancelable: entry(
    409,
    'The subscription cannot be canceled now',
    'Read its status; an ended subscription stays ended.',
  ),
  subscription_overlap: entry(
    409,
    'The customer has an overlapping subscription',
    'Cancel or change the other subscription of the same feature first.',
  ),
  clock_backwards: entry(400, 'A test clock only moves forward', 'Choose an instant after its frozen time.'),
  clock_too_far: entry(400, 'A test clock advances at most five years at once', 'Advance it in steps.'),
  clock_in_use: entry(
    409,
    'Customers take their time from the test clock',
    'Delete the customers on the clock first.',
  ),
  clock_busy: entry(409, 'The test clock is advancing', 'Wait until its status is ready.'),

  // Invoices
  invoice_not_editable: entry(
    409,
    'The invoice cannot be changed any more',
    'Void it and re-issue, or correct it on the next invoice.',
  ),
  action_not_available: entry(
    409,
    'The action is not available in this state',
    'See availableActions of the invoice.',
  ),

  // Stripe
  stripe_key_invalid: entry(
    400,
    'Stripe rejected the API key',
    'Copy the secret or restricted key from the Stripe dashboard again.',
  ),
  stripe_key_publishable: entry(
    400,
    'This is a publishable key',
    'Use a secret (sk_) or restricted (rk_) key.',
  ),
  stripe_key_unauthorized: entry(
    409,
    'Stripe does not accept the stored key any more',
    'Replace the key of the app, then retry its invoices.',
  ),
  stripe_key_live_refused: entry(
    400,
    'Live keys are not accepted here',
    'Use a test key, or allow live mode in the configuration.',
  ),
  stripe_permission_missing: entry(
    409,
    'The restricted key lacks a permission',
    'Grant the named permission in the Stripe dashboard, then retry.',
  ),
  stripe_totals_differ: entry(
    409,
    'The invoice at Stripe differs from ours',
    'Compare both, correct or void the one at Stripe, then retry, or wait for its next look.',
  ),
  stripe_draft_finalized: entry(
    409,
    'The draft was finalized at Stripe before its period ended',
    'Void that invoice at Stripe, or let the closing compare it with ours.',
  ),
  stripe_invoice_deleted: entry(
    409,
    'Somebody deleted the draft at Stripe',
    'Retry the invoice to make it there again, or void it.',
  ),
  customer_tax_location_invalid: entry(
    409,
    'Stripe does not recognize where the customer is',
    'Give the Stripe customer a valid address: the invoice goes on by itself. Or do not enforce tax.',
  ),
  stripe_tax_inactive: entry(
    409,
    'Tax is not set up in the Stripe account',
    'Complete the tax settings in the Stripe Dashboard: the invoice goes on by itself. Or do not enforce tax.',
  ),
  stripe_customer_deleted: entry(
    409,
    'The Stripe customer was deleted',
    'Link the customer to another Stripe customer; what was not issued yet goes on with it.',
  ),
  stripe_key_missing: entry(409, 'The app has no Stripe key', 'Give the app an API key, then retry.'),
  stripe_secret_unreadable: entry(
    500,
    'A stored Stripe secret cannot be decrypted',
    'Start with the master key it was stored under, or give the app its key again.',
  ),
  stripe_customer_not_found: entry(
    400,
    'Stripe has no such customer',
    'Check the id (cus_…) and that it belongs to the account and mode of the app.',
  ),
  stripe_customer_busy: entry(
    409,
    'Another call is changing what the Stripe customer is charged',
    'Repeat the request after as many seconds as the header Retry-After says; nothing of it was done.',
  ),
  stripe_payment_method_not_found: entry(
    400,
    'Stripe has no such payment method',
    'Check the id (pm_…) and that it belongs to the account and mode of the app.',
  ),
  stripe_price_not_found: entry(
    400,
    'Stripe has no such price',
    'Check the id (price_…) and that it belongs to the account and mode of the app.',
  ),
  stripe_price_not_mappable: entry(
    400,
    'The price cannot stand for this plan',
    'Map a recurring price of the same interval and currency as the plan.',
  ),
  stripe_subscription_not_found: entry(
    400,
    'Stripe has no such subscription',
    'Check the id (sub_…) and that it belongs to the account and mode of the app.',
  ),
  stripe_subscription_not_importable: entry(
    409,
    'The subscription at Stripe cannot be imported',
    'Correct what the detail names, then import it again.',
  ),
  stripe_invoice_not_found: entry(
    409,
    'The invoice is not at Stripe',
    'Retry the invoice: it is looked for by our id, and made again only if it is not there.',
  ),
  stripe_refused: entry(
    400,
    'Stripe refused the request',
    'Read what Stripe says in the detail, correct it and try again.',
  ),
  stripe_unavailable: entry(503, 'Stripe is not reachable', 'Nothing to do: it is repeated by itself.'),
  webhook_signature_invalid: entry(
    400,
    'The signature of the webhook is not valid',
    'Check that the endpoint and the signing secret belong together.',
  ),
} as const satisfies Readonly<Record<string, ErrorCodeEntry>>

export type ErrorCode = keyof typeof errorCodes
