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
  const steps = stepsIn(await read('workflows/proxies.ts'))
  const patches = [...(await read('workflows/patches.ts')).matchAll(/(\w+)\(\): boolean \{[^}]*?'([^']+)'/g)]
  const branches: string[] = []
  for (const type of Object.keys(workflows)) {
    const file = type.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    const source = await read(`workflows/${file}.ts`)
    const words = [
      ...all(source, /setHandler\((\w+)/g).map(messageWord),
      ...steps.filter(({ name }) => source.includes(`${name}(`)).flatMap((step) => step.words),
      ...patches.filter(([, name]) => source.includes(`${name}(`)).map(([, , id]) => `patch ${id}`),
      ...(source.includes('continueAsNew<') ? ['continued as new'] : []),
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

/** The steps that workflows call, and the ways in which each is run. */
function stepsIn(proxies: string): readonly { readonly name: string; readonly words: readonly string[] }[] {
  const named = (way: string): readonly string[] =>
    all(proxies, new RegExp(`export const \\{ (\\w+) \\} = ${way}<`, 'g'))
  return [
    ...named('proxyActivities').map((name) => ({ name, words: [`activity ${name}`] })),
    ...named('proxyLocalActivities').map((name) => ({
      name,
      words: [`local activity ${name}`, `local retry ${name}`],
    })),
    ...all(proxies, /inTask\[\w+\]\.(\w+)\(/g).map((name) => ({
      name,
      words: [`activity ${name}`, `local activity ${name}`, `local failure ${name}`],
    })),
  ]
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
