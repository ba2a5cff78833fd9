import { style } from './style.ts'

/** A finished piece of HTML; everything else is escaped when it is put in. */
export interface Html {
  readonly html: string
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)

type Part = Html | string | number | null | readonly Html[]

function render(part: Part): string {
  if (part === null) return ''
  if (typeof part === 'string' || typeof part === 'number') return escape(String(part))
  return 'html' in part ? part.html : part.map((item) => item.html).join('')
}

/** Template tag: texts are escaped, Html is not. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return {
    html: strings
      .map((text, index) => text + (index < parts.length ? render(parts[index] ?? null) : ''))
      .join(''),
  }
}

/** How a page is laid out: one column, a narrow one, or two side by side. */
type Layout = 'one' | 'narrow' | 'two'

interface PageOptions {
  readonly layout?: Layout
  /** Where the link at the top leads, and its words. */
  readonly back?: readonly [url: string, words: string] | null
}

/** A whole page; works without scripts. */
export function document(
  title: string,
  body: Html,
  { layout = 'one', back = null }: PageOptions = {},
): string {
  const link = back === null ? null : html`<a class="back" href="${back[0]}">${back[1]}</a>`
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <style>
          ${{ html: style }}
        </style>
      </head>
      <body>
        <header class="bar"><strong>Sandbox</strong> <span class="badge">Test mode</span> ${link}</header>
        <main class="${layout}">${body}</main>
        <footer>
          <details>
            <summary>Test cards</summary>
            <p>
              No money moves here. <code>4242 4242 4242 4242</code> pays,
              <code>4000 0000 0000 0002</code> declines, <code>4000 0000 0000 0341</code> saves and then
              declines, <code>4000 0025 0000 3155</code> asks for 3-D Secure when it is saved,
              <code>4000 0027 6000 3184</code> whenever it pays. Any date to come, any code.
            </p>
          </details>
        </footer>
      </body>
    </html>`
  return page.html
}

/** What went wrong, told to a screen reader too. */
export function problem(message: string | null): Html | null {
  return message === null ? null : html`<p class="error" role="alert">${message}</p>`
}

/** A page for an address that leads nowhere. */
export function notFound(what: string): string {
  return document(
    'Not found',
    html`<section>
      <h1>${what}</h1>
      <p>The link may have expired.</p>
    </section>`,
    {
      layout: 'narrow',
    },
  )
}
