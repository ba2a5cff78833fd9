import { testService } from './services.ts'

/** Address of the run's Temporal dev server, started when first asked for. Use a task queue of your own. */
export async function testTemporalAddress(): Promise<string> {
  return await testService('temporal')
}

/** File with the bundled workflows, built once a run: `Worker.create({ workflowBundle: { codePath } })`. */
export async function workflowBundlePath(): Promise<string> {
  return await testService('bundle')
}
