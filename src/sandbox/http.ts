import type { IncomingMessage, ServerResponse } from 'node:http'
import qs from 'qs'
import type { Raw } from './route.ts'

const MAX_BODY_BYTES = 2_000_000

/** The whole body as text. */
export async function readBody(request: IncomingMessage): Promise<string> {
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_BODY_BYTES) request.destroy(new Error('the body is too large'))
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    request.on('error', reject)
    request.on('close', () => reject(new Error('the body broke off')))
  })
}

/** Form or query text as nested values; lists come as `a[0]` or `a[]`. */
export function parseForm(text: string): Raw {
  return qs.parse(text, { depth: 10, arrayLimit: 1000, parameterLimit: 50_000 })
}

/** Sends a reply whole. */
export function send(
  response: ServerResponse,
  status: number,
  [headers, body]: readonly [Readonly<Record<string, string>>, string],
): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, [{ 'content-type': 'application/json' }, `${JSON.stringify(body, null, 2)}\n`])
}

export function sendHtml(response: ServerResponse, status: number, html: string): void {
  send(response, status, [{ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }, html])
}

export function redirect(response: ServerResponse, location: string): void {
  send(response, 303, [{ location }, ''])
}

/** Sends a file of one byte a character, to be shown in the browser under its name. */
export function sendPdf(response: ServerResponse, name: string, pdf: string): void {
  const bytes = Buffer.from(pdf, 'latin1')
  const disposition = `inline; filename="${name.replaceAll(/[^\w.-]/g, '_')}"`
  response.writeHead(200, {
    'content-type': 'application/pdf',
    'content-disposition': disposition,
    'content-length': bytes.length,
  })
  response.end(bytes)
}

/** Breaks off in the middle of the body: the length promised is more than what comes. */
export function truncate(
  response: ServerResponse,
  status: number,
  [headers, body]: readonly [Readonly<Record<string, string>>, string],
): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy())
}

/** One field of a submitted form; '' when absent. */
export function fieldOf(form: Raw, name: string): string {
  const value = form[name]
  return typeof value === 'string' ? value : ''
}
