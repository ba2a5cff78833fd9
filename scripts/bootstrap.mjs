// `npm start` and `npm test` on a fresh clone: Node's built-ins only, since nothing is installed yet.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const marker = join(root, 'node_modules', '.perennial-lockfile')
const MIN_NODE = [20, 19]

/** Ends with a clear message where the language itself would fail with an obscure one. */
function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return
  console.error(`Perennial needs Node ${MIN_NODE.join('.')} or later; this is ${process.versions.node}.`)
  process.exit(1)
}

function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

function modifiedMs(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** By content where we installed, by time where npm did. */
function isInstalled() {
  const installed = modifiedMs(join(root, 'node_modules', '.package-lock.json'))
  if (installed === 0) return false
  if (installed >= modifiedMs(join(root, 'package-lock.json'))) return true
  try {
    return readFileSync(marker, 'utf8') === lockfileHash()
  } catch {
    return false
  }
}

/** `npm ci` leaves the lockfile alone, so that `git status` stays clean. */
async function install() {
  const startedMs = Date.now()
  const seconds = () => `${Math.round((Date.now() - startedMs) / 1000)} s`
  const say = (text) => process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
  say('Installing packages (npm ci)')
  const ticker = process.stderr.isTTY
    ? setInterval(() => say(`Installing packages (npm ci), ${seconds()}`), 1000)
    : undefined
  const npm = process.env.npm_execpath
  const [command, ...first] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm']
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional']
  const { code, output } = await runQuietly(command, args)
  clearInterval(ticker)
  if (code !== 0) {
    say(
      `npm ci failed after ${seconds()}:\n${output}\nNext: check the network and the registry of npm, then run the command again.\n`,
    )
    process.exit(1)
  }
  writeFileSync(marker, lockfileHash())
  say(`Packages are installed (${seconds()})${process.stderr.isTTY ? '\n' : ''}`)
}

async function runQuietly(command, args) {
  return await new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk) => (output = (output + chunk).slice(-4000))
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', (error) => resolve({ code: 1, output: error.message }))
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

/**
 * npm runs us in a shell, which passes no signal on: whoever ends npm alone, as a script or a supervisor does, leaves us
 * behind. Calls back once when that has happened.
 */
function whenLeftBehind(callBack) {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    callBack()
  }, 500)
  timer.unref()
}

/** Runs a Node program in our place: signals go to it, its exit code becomes ours. */
async function hand(args) {
  return await new Promise((resolve) => {
    // The channel tells the program when we are gone, however we went.
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
    whenLeftBehind(() => child.kill('SIGTERM'))
    child.once('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

async function start(args) {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  return await hand(['--import', tsx, join(root, 'cli.ts'), 'start', ...args])
}

/** The runner's summary, and then the counts alone on the last line. */
async function test(args) {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-results-'))
  const report = join(folder, 'results.json')
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const code = await hand([
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args,
  ])
  const { passed, failed } = counts(report, code)
  rmSync(folder, { recursive: true, force: true })
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 && code === 0 ? 1 : code
}

/** A file that could not be loaded has no tests that failed; it counts as one, and so does a run that broke. */
function counts(report, code) {
  try {
    const results = JSON.parse(readFileSync(report, 'utf8'))
    const broken = results.testResults.filter(
      (file) => file.status === 'failed' && file.assertionResults.every((one) => one.status !== 'failed'),
    )
    const failed = results.numFailedTests + broken.length
    return { passed: results.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

checkNode()
const [mode, ...args] = process.argv.slice(2)
if (!isInstalled()) await install()
process.exitCode = mode === 'test' ? await test(args) : await start(args)
