import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflate } from '@sparticuz/chromium'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'

/** Unpacked once per installation of the packages: `npm ci` takes it away. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
const unpacked = join(cache, 'chromium')

/**
 * A headless Chromium out of an npm package, with the libraries and the fonts that it needs: nothing of the machine's
 * but the C library, no download, the same pictures everywhere. It cannot be missing; if it does not start, that is an error.
 */
export async function startBrowser(): Promise<Browser> {
  await unpackOnce()
  return await chromium.launch({
    // For what hangs, on machines that are busy too.
    timeout: 180_000,
    executablePath: join(unpacked, 'chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: unpacked,
      LD_LIBRARY_PATH: join(unpacked, 'al2023', 'lib'),
      FONTCONFIG_FILE: join(unpacked, 'fonts.conf'),
    },
  })
}

/** Two processes may come at once: each unpacks beside, and the first to be done is taken. */
async function unpackOnce(): Promise<void> {
  if (await isThere(unpacked)) return
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'chromium-'))
  try {
    await unpackInto(folder)
    const fonts = `<fontconfig><dir>${join(unpacked, 'fonts')}</dir><cachedir>${join(unpacked, 'font-cache')}</cachedir></fontconfig>`
    await writeFile(join(folder, 'fonts.conf'), fonts)
    await rename(folder, unpacked)
  } catch (error) {
    if (!(await isThere(unpacked))) throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The package unpacks into the folder for temporary files, wherever that is. */
async function unpackInto(folder: string): Promise<void> {
  const packed = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '../../bin')
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  try {
    const names = ['chromium.br', 'fonts.tar.br', 'al2023.tar.br']
    await Promise.all(names.map(async (name) => await inflate(join(packed, name))))
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

const sizes = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const
const pictures = process.env['TEST_PICTURES']

/** Takes pictures of the page as it is on a desktop and on a phone, into the folder `TEST_PICTURES` if there is one. */
export async function takePictures(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return
  for (const [device, size] of Object.entries(sizes)) {
    await page.setViewportSize(size)
    await page.screenshot({ path: join(pictures, `${name}-${device}.png`), fullPage: true })
  }
  await page.setViewportSize(sizes.desktop)
}
