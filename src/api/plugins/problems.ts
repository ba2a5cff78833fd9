import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { ulid } from 'ulid'
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isDatabaseAway } from '../../db/database-away.ts'
import { DomainError, errorCodes } from '../../domain/errors.ts'
import { StripeFailure } from '../../stripe/failures.ts'
import { refusedPermission } from '../../stripe/permissions.ts'
import type { ClassifiedFailure } from '../../stripe/types.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import { describeValidation } from './validation-problem.ts'

const MIB = 1024 * 1024

export interface ProblemBody {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: string
  readonly field?: string
  readonly extensions?: Readonly<Record<string, unknown>>
}

/** What Fastify itself refuses, as codes of ours. */
const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_body',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_body',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
}

/** What Stripe refused, with what it said. */
function ofStripe(failure: ClassifiedFailure): DomainError {
  const { kind, message } = failure
  switch (kind) {
    case 'auth':
      if (refusedPermission(failure) !== null)
        return new DomainError('stripe_permission_missing', `The key may not do this: ${message}`)
      return new DomainError('stripe_key_unauthorized', `Stripe does not accept the key: ${message}`)
    case 'final':
    case 'outcome':
      return new DomainError('stripe_refused', `Stripe refused: ${message}`)
    case 'retryable':
    case 'pinned':
      return new DomainError('stripe_unavailable', `Stripe did not do it: ${message}`)
  }
}

/** In our words: Fastify's leave out what would be right. */
function ofFramework(code: ErrorCode, error: FastifyError, request: FastifyRequest): DomainError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const limit = `${request.routeOptions.bodyLimit / MIB} MiB`
      return new DomainError(code, `The body is larger than ${limit}; send fewer items in one request.`, {
        field: 'body',
      })
    }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': {
      const given = request.headers['content-type'] ?? 'no content type'
      return new DomainError(code, `The body came as ${given}; send it as application/json.`, {
        field: 'content-type',
      })
    }
    case 'FST_ERR_CTP_INVALID_JSON_BODY': {
      const detail = 'The body is not valid JSON, or has a member __proto__, which is refused.'
      return new DomainError(code, detail, { field: 'body' })
    }
    case 'FST_ERR_BAD_URL':
      return new DomainError(code, 'The address is not UTF-8 with percent-encoding.', { field: 'url' })
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new DomainError(code, 'No id or key is as long as the one in the address.', { field: 'url' })
    default:
      return new DomainError(code, error.message)
  }
}

/** Every failure as a DomainError: from here on there is one shape. */
function toDomainError(
  error: FastifyError | DomainError | StripeFailure,
  request: FastifyRequest,
): DomainError {
  if (error instanceof DomainError) return error
  if (error instanceof StripeFailure) return ofStripe(error.failure)
  if (error.validation !== undefined) {
    const { field, detail } = describeValidation(error.validation, error.validationContext ?? 'body')
    return new DomainError('validation_failed', detail, { field })
  }
  const code = frameworkCodes[error.code]
  if (code !== undefined) return ofFramework(code, error, request)
  if (error instanceof SyntaxError || error.statusCode === 400) {
    return new DomainError('malformed_body', `The body is not valid JSON: ${error.message}.`, {
      field: 'body',
    })
  }
  if (isDatabaseAway(error))
    return new DomainError('service_unavailable', 'The database cannot be reached; repeat the request later.')
  return new DomainError(
    'internal_error',
    'Something went wrong on our side; the log has it under this request id.',
  )
}

/** Problem details (RFC 9457) with OpenMeter's members, and our `code` and `field`. */
export function problemOf(error: DomainError, requestId: string): ProblemBody {
  const { status, title } = errorCodes[error.code]
  return {
    type: `urn:perennial:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    instance: `urn:request:${requestId}`,
    code: error.code,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.details === undefined ? {} : { extensions: error.details }),
  }
}

/** After how many seconds it is worth while to repeat what is answered with these. */
const retryAfterSeconds: Partial<Readonly<Record<ErrorCode, number>>> = {
  too_many_requests: 1,
  idempotency_key_in_use: 1,
  command_pending: 5,
  service_unavailable: 5,
  stripe_customer_busy: 5,
}

/** The OpenMeter client reads a problem only under exactly this type, so it is sent as text: an object gets a charset. */
function sendProblem(request: FastifyRequest, reply: FastifyReply, error: DomainError): FastifyReply {
  const problem = problemOf(error, request.id)
  const seconds = retryAfterSeconds[error.code]
  if (seconds !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', String(seconds))
  return reply
    .status(problem.status)
    .header('content-type', 'application/problem+json')
    .serializer(String)
    .send(JSON.stringify(problem))
}

/** What goes wrong before a route is found, in the same shape. */
export function answerFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header('x-request-id', request.id)
  void sendProblem(request, reply, toDomainError(error, request))
}

const clientErrors: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** What Node refuses before there is a request, in the same shape; the connection ends with it. */
export function answerClientError({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  endWith(clientErrors[code] ?? 'malformed_request', socket)
}

/** For a request whose body comes too slowly: its connection ends. */
export const endLate = (socket: Socket): void => endWith('request_timeout', socket)

function endWith(code: ErrorCode, socket: Socket): void {
  const problem = problemOf(new DomainError(code), ulid())
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Not only our half: who sends slowly would keep the other.
  socket.destroySoon()
}

/** One error handler, and one for what is not here. */
export const problems = fp(async (app) => {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.setErrorHandler<FastifyError | DomainError | StripeFailure>((error, request, reply) => {
    const problem = toDomainError(error, request)
    // What is not served is no fault of ours, and any caller can ask for it as often as they like.
    if (errorCodes[problem.code].status >= 500 && problem.code !== 'not_implemented')
      request.log.error({ err: error, requestId: request.id }, errorCodes[problem.code].title)
    return sendProblem(request, reply, problem)
  })
  app.setNotFoundHandler((request, reply) => {
    const detail = `There is nothing at ${request.method} ${request.url.split('?')[0] ?? ''}; /docs lists what there is.`
    return sendProblem(request, reply, new DomainError('not_found', detail))
  })
})
