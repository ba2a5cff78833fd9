import { execFile } from 'node:child_process'
import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../src/local/programs.ts'

const run = promisify(execFile)

export const versions = { killBill: '0.22.26', tomcat: '9.0.98' } as const
const artifacts = {
  war: `org.kill-bill.billing:killbill-profiles-killbill:${versions.killBill}:war`,
  // Later ones are of another namespace of packages, which this war does not know.
  tomcat: `org.apache.tomcat:tomcat:${versions.tomcat}:tar.gz`,
} as const

export interface Downloads {
  readonly war: string
  readonly tomcat: string
}

/**
 * Kill Bill's war and the Tomcat it runs in, by Maven, from wherever Maven is set up to look; kept outside of the project,
 * which neither contains nor depends on them. Both are under the Apache License 2.0. Errors: where Maven finds nothing.
 */
export async function download(say: (line: string) => void): Promise<Downloads> {
  const folder = join(cacheFolder(), 'kill-bill')
  await mkdir(folder, { recursive: true })
  const war = join(folder, `killbill-profiles-killbill-${versions.killBill}.war`)
  const tomcat = join(folder, `tomcat-${versions.tomcat}.tar.gz`)
  await copy(artifacts.war, war, { folder, say })
  await copy(artifacts.tomcat, tomcat, { folder, say })
  return { war, tomcat }
}

interface Target {
  readonly folder: string
  readonly say: (line: string) => void
}

async function copy(artifact: string, file: string, { folder, say }: Target): Promise<void> {
  if (await isThere(file)) return
  say(`mvn dependency:copy ${artifact}`)
  await run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`])
  if (!(await isThere(file))) throw new Error(`Maven did not bring ${file}`)
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
