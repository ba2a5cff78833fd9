import { randomUUID } from 'node:crypto'
import type { Client } from '@temporalio/client'
import type { NativeConnection } from '@temporalio/worker'
import { msToTs } from '@temporalio/common/lib/time.js'
import { searchAttributes } from '../../src/local/search-attributes.ts'
import { waitFor } from './scenario.ts'
import { testService } from './services.ts'

/** Address of the run's Temporal dev server, started when first asked for. Use a task queue of your own. */
export async function testTemporalAddress(): Promise<string> {
  return await testService('temporal')
}

/** File with the bundled workflows, built once a run: `Worker.create({ workflowBundle: { codePath } })`. */
export async function workflowBundlePath(): Promise<string> {
  return await testService('bundle')
}

/** A namespace with nothing in it: Temporal as it is after its state was lost. */
export async function emptyNamespace(client: Client): Promise<string> {
  const namespace = `lost-${randomUUID()}`
  const { workflowService, connection } = client
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  })
  const types = { Keyword: 2, Datetime: 6 } as const
  const attributes = Object.entries(searchAttributes).map(([name, type]) => [name, types[type]] as const)
  // The server learns of a namespace, and of its attributes, after a moment.
  await waitFor(
    async () => {
      try {
        await (connection as NativeConnection).operatorService.addSearchAttributes({
          namespace,
          searchAttributes: Object.fromEntries(attributes),
        })
        await workflowService.listWorkflowExecutions({ namespace, query: "CustomerKey = 'nobody'" })
        return 'there'
      } catch (error) {
        return String(error)
      }
    },
    (outcome) => outcome === 'there',
  )
  return namespace
}
