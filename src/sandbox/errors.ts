/** The `error` member of a refusal as Stripe writes it; null members are left out [recorded traffic: stripe_world]. */
export interface ErrorBody {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error'
  readonly code?: string
  readonly message: string
  readonly param?: string
  readonly doc_url?: string
  readonly decline_code?: string
  readonly charge?: string
  readonly payment_intent?: object
  readonly payment_method?: object
  readonly setup_intent?: object
}

/**
 * A refusal. `keepsChanges` marks the ones that come after a change of state, such as a decline: the failed charge
 * stays; everything else rolls back.
 */
export class StripeRefusal extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly keepsChanges: boolean

  constructor(status: number, body: ErrorBody, keepsChanges = false) {
    super(body.message)
    this.status = status
    this.body = body
    this.keepsChanges = keepsChanges
  }
}

interface Details {
  readonly code?: string
  readonly param?: string
  readonly status?: number
}

/** 400 `invalid_request_error` unless told otherwise. */
export function refuse(message: string, details: Details = {}): StripeRefusal {
  const { code, param, status = 400 } = details
  return new StripeRefusal(status, {
    type: 'invalid_request_error',
    ...(code === undefined
      ? {}
      : { code, doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
    message,
    ...(param === undefined ? {} : { param }),
  })
}

/** 404 for an id in the path, 400 for one in the body or query [recorded traffic: stripe_world]. */
export function noSuch(kind: string, id: string, param?: string): StripeRefusal {
  return refuse(`No such ${kind}: '${id}'`, {
    code: 'resource_missing',
    param: param ?? 'id',
    status: param === undefined ? 404 : 400,
  })
}

/** A parameter that Stripe has and this sandbox has not built: refused, never silently ignored. */
export function notBuilt(param: string): StripeRefusal {
  return refuse(`The local sandbox does not implement the parameter: ${param}.`, {
    code: 'sandbox_not_implemented',
    param,
  })
}
