import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiObserver } from '../../src/metrics/api.ts'
import { listenForScrapes } from '../../src/metrics/listener.ts'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

const registry = new Registry()
let api: TestApi

beforeAll(async () => {
  api = await startTestApi({ observer: apiObserver(registry) })
})
afterAll(async () => await api.close())

async function scraped(): Promise<string> {
  const listener = await listenForScrapes({ host: '127.0.0.1', port: 0, registry })
  const text = await fetch(`http://127.0.0.1:${listener.port}/metrics`).then(
    async (answer) => await answer.text(),
  )
  await listener.close()
  return text
}

const event = (id: string) => ({ specversion: '1.0', id, source: 's', type: 't', subject: 'c' })

test('requests are counted by the template of their route, and what is no route as one', async () => {
  for (const url of ['/api/v1/meters/one', '/api/v1/meters/two', '/no/such', '/wp-login.php'])
    await api.app.inject({ url })
  const text = await scraped()
  const count = 'perennial_http_request_duration_seconds_count'
  expect(text).toContain(`${count}{route="/api/v1/meters/:meterIdOrSlug",method="GET",status="4xx"} 2`)
  expect(text).toContain(`${count}{route="none",method="GET",status="4xx"} 2`)
  expect(text).not.toContain('wp-login')
  expect(text).toContain('\nperennial_http_requests_in_flight 0\n')
})

test('what is not offered is told from what fails', async () => {
  await api.app.inject({ url: '/api/v1/portal/tokens' })
  expect(await scraped()).toContain('{route="/api/v1/portal/tokens",method="GET",status="501"} 1')
})

test('events are counted as new and as duplicates', async () => {
  const payload = JSON.stringify([event('1'), event('2'), event('2')])
  const headers = { 'content-type': 'application/cloudevents-batch+json' }
  await api.app.inject({ method: 'POST', url: '/api/v1/events', headers, payload })
  const text = await scraped()
  expect(text).toContain('perennial_usage_events_total{result="stored"} 2')
  expect(text).toContain('perennial_usage_events_total{result="duplicate"} 1')
})

test('the public port shows no metrics, and the one that does serves nothing else', async () => {
  expect((await api.app.inject({ url: '/metrics' })).statusCode).toBe(404)
  const listener = await listenForScrapes({
    host: '127.0.0.1',
    port: 0,
    registry,
    isReady: async () => false,
  })
  const status = async (path: string, method = 'GET'): Promise<number> =>
    await fetch(`http://127.0.0.1:${listener.port}${path}`, { method }).then((answer) => answer.status)
  expect(await status('/healthz')).toBe(200)
  expect(await status('/readyz')).toBe(503)
  expect(await status('/api/v1/meters')).toBe(404)
  expect(await status('/metrics', 'POST')).toBe(405)
  await listener.close()
})
