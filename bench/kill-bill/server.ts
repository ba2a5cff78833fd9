import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { lastLines, startChild } from '../../src/local/child.ts'
import { freePort } from '../../src/local/ports.ts'
import type { Downloads } from './download.ts'

const run = promisify(execFile)
const BOOT_MS = 300_000

export interface RunningKillBill {
  readonly port: number
  readonly pid: number
  readonly stop: () => Promise<void>
}

interface Start {
  readonly downloads: Downloads
  /** Everything of it; removed by the caller. */
  readonly folder: string
  /** A database of its own, empty, of a role that may make event triggers. */
  readonly databaseUrl: URL
}

/** Java 17 closes what Kill Bill's plugin framework opens. */
const opened = [
  'java.lang',
  'java.util',
  'java.lang.reflect',
  'java.net',
  'java.util.concurrent',
  'java.nio',
  'java.security',
  'java.io',
  'sun.net.www',
  'sun.net.www.protocol.jar',
  'sun.net.www.protocol.file',
  'sun.net.www.protocol.http',
  'sun.net.www.protocol.https',
  'jdk.internal.loader',
]

/**
 * As its deployment guide has it for load: more than one entry claimed and more than one thread for each queue, short sleeps,
 * and credentials that are not hashed 200,000 times for every request; logs of warnings only.
 */
const tuning = {
  'org.killbill.notificationq.main.claimed': '100',
  'org.killbill.notificationq.main.notification.nbThreads': '10',
  'org.killbill.notificationq.main.sleep': '50',
  'org.killbill.persistent.bus.main.claimed': '100',
  'org.killbill.persistent.bus.main.nbThreads': '10',
  'org.killbill.security.shiroNbHashIterations': '1',
  'org.killbill.dao.logLevel': 'WARN',
  'org.killbill.dao.maxActive': '30',
  'org.killbill.billing.osgi.dao.maxActive': '5',
} as const

/** Starts Kill Bill on loopback and waits until it answers. It opens RMI on every interface: see `namespace.ts`. */
export async function startKillBill({ downloads, folder, databaseUrl }: Start): Promise<RunningKillBill> {
  await loadSchema(downloads.war, join(folder, 'schema'), databaseUrl)
  const port = await freePort()
  const tomcat = await prepareTomcat(downloads, folder, port)
  const child = await startChild({
    name: 'Kill Bill',
    command: join(tomcat, 'bin', 'catalina.sh'),
    args: ['run'],
    cwd: folder,
    env: { CATALINA_HOME: tomcat, CATALINA_BASE: tomcat, CATALINA_OPTS: options(folder, databaseUrl) },
    logFile: join(folder, 'kill-bill.log'),
    recordFile: join(folder, 'kill-bill.pid.json'),
  })
  const deadline = Date.now() + BOOT_MS
  for (let status = 0; status !== 200; status = await healthOf(port)) {
    // Tomcat answers once it has deployed: a 404 says that the application did not start.
    if (status === 404 || child.hasExited() || Date.now() > deadline)
      throw new Error(`Kill Bill did not start: ${await lastLines(child.logFile)}`)
    await delay(1000)
  }
  return { port, pid: child.pid, stop: async () => await child.stop(10_000) }
}

/** 0: nobody answers. */
async function healthOf(port: number): Promise<number> {
  return await fetch(`http://127.0.0.1:${port}/1.0/healthcheck`).then(
    ({ status }) => status,
    () => 0,
  )
}

async function prepareTomcat({ war, tomcat }: Downloads, folder: string, port: number): Promise<string> {
  const home = join(folder, 'tomcat')
  await mkdir(home, { recursive: true })
  await run('tar', ['-xzf', tomcat, '-C', home, '--strip-components=1'])
  await rm(join(home, 'webapps'), { recursive: true })
  await mkdir(join(home, 'webapps'))
  await cp(war, join(home, 'webapps', 'ROOT.war'))
  await writeFile(
    join(home, 'conf', 'server.xml'),
    `<Server port="-1"><Service name="Catalina">
      <Connector address="127.0.0.1" port="${port}" protocol="HTTP/1.1" maxKeepAliveRequests="-1"/>
      <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
    </Service></Server>`,
  )
  return home
}

function options(folder: string, url: URL): string {
  const jdbc = `jdbc:postgresql://${url.host}${url.pathname}`
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  const pools = ['org.killbill.dao', 'org.killbill.billing.osgi.dao'].flatMap((pool) => [
    [`${pool}.url`, jdbc],
    [`${pool}.user`, user],
    [`${pool}.password`, password],
  ])
  const properties = Object.fromEntries([
    ...pools,
    ...Object.entries(tuning),
    ['org.killbill.osgi.bundle.install.dir', join(folder, 'bundles')],
    ['org.killbill.osgi.bundle.cache.dir', join(folder, 'bundles-cache')],
    ['org.killbill.server.test.mode', 'true'],
    ['org.killbill.server.updateCheck.skip', 'true'],
    ['java.security.egd', 'file:/dev/./urandom'],
    ['logback.configurationFile', join(folder, 'schema', 'logback.xml')],
  ]) as Record<string, string>
  return [
    '-Xms2g',
    '-Xmx2g',
    ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
  ].join(' ')
}

const logback = `<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder>
  <pattern>%level %logger{0} %msg%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="OUT"/></root></configuration>`

/** Its tables, from the jars in the war: what concerns PostgreSQL first. */
async function loadSchema(war: string, folder: string, url: URL): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'logback.xml'), logback)
  await run('unzip', ['-qoj', war, 'WEB-INF/lib/killbill-*.jar', '-d', folder])
  const jars = (await readdir(folder)).filter((name) => name.endsWith('.jar')).toSorted()
  const client = new Client({ connectionString: url.href })
  await client.connect()
  try {
    for (const file of ['ddl-postgresql.sql', 'ddl.sql']) {
      for (const jar of jars) {
        const sql = await contentOf(join(folder, jar), `*/${file}`)
        if (sql !== '') await client.query(sql)
      }
    }
  } finally {
    await client.end()
  }
}

/** Empty where the jar has none. */
async function contentOf(jar: string, pattern: string): Promise<string> {
  return await run('unzip', ['-p', jar, pattern], { maxBuffer: 16 * 1024 * 1024 }).then(
    ({ stdout }) => stdout,
    () => '',
  )
}
