import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'

const root = fileURLToPath(new URL('../../', import.meta.url))
const nothing = (): void => {}
const silent = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

const head = `import { patched, proxyActivities } from '@temporalio/workflow'
const { noteStep } = proxyActivities<any>({ startToCloseTimeout: '1 minute' })
`
const steps = [
  ['subscription.ts', '    const step = await advanceSubscription(', 'input.subscriptionId'],
  ['invoice.ts', '    const step = await advanceInvoice(', 'input.invoiceId'],
] as const

/**
 * Bundles the workflows as a next version might have them: a copy of the source, in which every step is preceded by one
 * more activity, `noteStep`, which the next version's worker has. With a patch, as it has to be, or without. Returns the bundle's file.
 */
export async function bundleNextVersion(change: 'patched' | 'unpatched'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-next-'))
  const workflows = join(folder, 'src/workflows')
  await mkdir(workflows, { recursive: true })
  for (const path of ['package.json', 'src/workflows', 'src/domain', 'src/activities/contracts.ts'])
    await cp(join(root, path), join(folder, path), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const condition = change === 'patched' ? `if (patched('note-first')) ` : ''
  for (const [file, step, id] of steps) {
    const source = await readFile(join(workflows, file), 'utf8')
    if (!source.includes(step)) throw new Error(`${file} has no line that begins with ${step}`)
    const changed = source.replace(step, `    ${condition}await noteStep(${id})\n${step}`)
    await writeFile(join(workflows, file), head + changed)
  }
  const { code } = await bundleWorkflowCode({ workflowsPath: join(workflows, 'index.ts'), logger: silent })
  const bundle = join(folder, 'bundle.cjs')
  await writeFile(bundle, code)
  return bundle
}
