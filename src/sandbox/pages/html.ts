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

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
  table { width: 100%; border-collapse: collapse } td, th { text-align: left; padding: .4rem; border-bottom: 1px solid #8884 }
  td:last-child, th:last-child { text-align: right } .error { color: #c00; font-weight: 600 } .note { opacity: .7; font-size: .85rem }
  input { font: inherit; padding: .5rem; width: 100%; box-sizing: border-box } label { display: block; margin: .75rem 0 }
  button { font: inherit; padding: .6rem 1.2rem; cursor: pointer; margin-right: .5rem }`

/** A whole page; works without scripts. */
export function document(title: string, body: Html): string {
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
        <main>${body}</main>
        <p class="note">
          Local Stripe sandbox: no money moves. Test cards: 4242 4242 4242 4242 pays, 4000 0000 0000 0002
          declines, 4000 0000 0000 0341 saves and then declines, 4000 0027 6000 3184 asks for 3-D Secure.
        </p>
      </body>
    </html>`
  return page.html
}

/** The field for a card number, filled in with the one that pays. */
export const cardField = html`<label
  >Card number <input name="card" value="4242 4242 4242 4242" inputmode="numeric" autocomplete="off" required
/></label>`
