import { readFile } from 'node:fs/promises'
import * as messages from '../../src/workflows/messages.ts'
import * as workflows from '../../src/workflows/index.ts'

const messagesByName = new Map(Object.entries(messages))
const read = async (path: string): Promise<string> =>
  await readFile(new URL(`../../src/${path}`, import.meta.url), 'utf8')
const all = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name = '']) => name)

/** What the workflows' source says they can go through, in the words of `crossedBy`. */
export async function branchesInSource(): Promise<readonly string[]> {
  const contracts = await read('activities/contracts.ts')
  const proxies = all(await read('workflows/proxies.ts'), /export const \{ (\w+) \}/g)
  const shared = await Promise.all(
    ['clock', 'commands', 'patches'].map(async (name) => await read(`workflows/${name}.ts`)),
  )
  const branches: string[] = []
  for (const type of Object.keys(workflows)) {
    const file = type.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const source = await read(`workflows/${file}.ts`)
    const words = [
      ...all(source, /setHandler\((\w+)/g).map(messageWord),
      ...proxies.filter((name) => source.includes(`${name}(`)).map((name) => `activity ${name}`),
      ...all([source, ...shared].join('\n'), /patched\('([^']+)'\)/g).map((id) => `patch ${id}`),
      ...(source.includes('continueAsNew<') ? ['continued as new'] : []),
      ...(source.includes('proxyLocal') ? ['local retry'] : []),
      ...(source.includes('break') ? ['end'] : []),
      ...(source.includes('createClock(') ? ['clock real', 'clock test', 'timer', 'signal tick'] : []),
      ...all(source, /createCommandQueue<(\w+)>/g).flatMap((union) => [
        'refusal',
        ...kindsOf(contracts, union).map((kind) => `command ${kind}`),
      ]),
    ]
    branches.push(...words.map((word) => `${type} ${word}`))
  }
  return branches
}

function messageWord(exported: string): string {
  const message = messagesByName.get(exported)
  return `${message?.type} ${message?.name}`
}

/** The kinds of a union of commands. */
function kindsOf(contracts: string, union: string): readonly string[] {
  const [, text = ''] = contracts.split(`export type ${union} =`)
  return all(text.slice(0, text.indexOf('\n\n')), /kind: '(\w+)'/g)
}
