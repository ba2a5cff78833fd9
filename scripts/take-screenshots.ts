/** Takes the pictures of docs/operations.md from a running `npm start`: npx tsx scripts/take-screenshots.ts <ui> <api>. */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startBrowser } from '../test/support/browser.ts'

const [uiUrl = 'http://127.0.0.1:8233', apiUrl = 'http://127.0.0.1:8888'] = process.argv.slice(2)
const folder = fileURLToPath(new URL('../docs/images/', import.meta.url))

interface Page<T> {
  readonly items: readonly T[]
}
interface Linked {
  readonly id: string
  readonly temporalWorkflowId?: string
}

async function firstOf(path: string): Promise<Linked> {
  const { items } = (await (await fetch(apiUrl + path)).json()) as Page<Linked>
  const [first] = items
  if (first === undefined) throw new Error(`${path} lists nothing: run npm start with its demo first`)
  return first
}

const subscription = await firstOf('/api/v1/subscriptions?pageSize=1')
const workflows = `${uiUrl}/namespaces/default/workflows`
const pages = {
  'temporal-workflows': workflows,
  'temporal-search': `${workflows}?query=${encodeURIComponent("CustomerKey='delta' AND InvoiceStatus='paid'")}`,
  'temporal-subscription': `${workflows}/${encodeURIComponent(`subscription/${subscription.id}`)}`,
}

await mkdir(folder, { recursive: true })
const browser = await startBrowser()
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
for (const [name, url] of Object.entries(pages)) {
  await page.goto(url, { waitUntil: 'domcontentloaded' })
  await page.waitForTimeout(6000)
  await page.screenshot({ path: `${folder}${name}.png` })
  console.log(`${name}.png`)
}
// The subscription's page redirects to its run; beside the history are the details that workflows write for people.
await page.goto(page.url().replace(/\/history.*$/, '/user-metadata'), { waitUntil: 'domcontentloaded' })
await page.waitForTimeout(6000)
await page.screenshot({ path: `${folder}temporal-details.png` })
await browser.close()
