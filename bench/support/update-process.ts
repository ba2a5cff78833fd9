import { Client, Connection } from '@temporalio/client'
import { fastify } from 'fastify'

// The floor of commands: Fastify that passes an update on to a workflow and waits for it, without keys, rows or schemas.
const connection = await Connection.connect({ address: process.env['BENCH_TEMPORAL_ADDRESS'] ?? '' })
const client = new Client({ connection })
const app = fastify()

interface Passed {
  readonly workflowId: string
  readonly withActivity: boolean
}

app.post<{ Body: Passed }>('/update', async ({ body: { workflowId, withActivity } }) => {
  await client.workflow.getHandle(workflowId).executeUpdate('update', { args: [{ withActivity }] })
  return { workflowId }
})

const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.on('disconnect', () => process.exit())
process.send?.({ port: Number(new URL(address).port) })
