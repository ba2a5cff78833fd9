import { get } from 'node:http'
import { inject } from 'vitest'

/**
 * Asks the run's global setup for a service and waits until it is there: `postgres` (URL of the migrated template),
 * `temporal` (address of a dev server) or `bundle` (file with the bundled workflows, for `workflowBundle: { codePath }`).
 */
export async function testService(name: 'postgres' | 'temporal' | 'bundle'): Promise<string> {
  // Not fetch: it gives up after five minutes, and building Temporal may take that once.
  return await new Promise((resolve, reject) => {
    const request = get(`${inject('supportUrl')}/${name}`, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        if (response.statusCode === 200) resolve((JSON.parse(text) as { value: string }).value)
        else reject(new Error(`the test service ${name} did not start: ${text}`))
      })
    })
    request.on('error', reject)
  })
}
