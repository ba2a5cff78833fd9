// Lets the SDK download the dev server into the folder given as argument; a process of its own, so that it can be ended.
import { TestWorkflowEnvironment } from '@temporalio/testing'

const [, , downloadDir] = process.argv
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir, version: 'default' } },
})
await environment.teardown()
