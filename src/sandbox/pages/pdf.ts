/** Characters that a PDF text of the standard fonts can hold, with its own marks escaped. */
function pdfText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\xa0-\xff]/g, '?').replaceAll(/[()\\]/g, (mark) => `\\${mark}`)
}

const LINES_PER_PAGE = 46

/** A left and a right text; the first line is the title. */
export type PdfLine = readonly [left: string, right: string]

function contentOf(lines: readonly PdfLine[], isFirst: boolean): string {
  const texts = lines.map(([left, right], index) => {
    const size = isFirst && index === 0 ? 18 : 10
    const y = 780 - index * 16
    // Digits and most letters of Helvetica are about half as wide as they are high.
    const x = 545 - right.length * size * 0.52
    return `BT /F1 ${size} Tf 50 ${y} Td (${pdfText(left.slice(0, 90))}) Tj ET BT /F1 ${size} Tf ${x.toFixed(1)} ${y} Td (${pdfText(right)}) Tj ET`
  })
  return texts.join('\n')
}

/** A document of plain lines, complete enough for any reader: catalogue, pages, cross-reference table. */
export function pdfOf(lines: readonly PdfLine[]): string {
  const pages = Array.from({ length: Math.max(1, Math.ceil(lines.length / LINES_PER_PAGE)) }, (_, index) =>
    contentOf(lines.slice(index * LINES_PER_PAGE, (index + 1) * LINES_PER_PAGE), index === 0),
  )
  const kids = pages.map((_, index) => `${4 + index * 2} 0 R`).join(' ')
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    `<</Type/Pages/Kids[${kids}]/Count ${pages.length}>>`,
    '<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>',
    ...pages.flatMap((content, index) => [
      `<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents ${5 + index * 2} 0 R/Resources<</Font<</F1 3 0 R>>>>>>`,
      `<</Length ${content.length}>>stream\n${content}\nendstream`,
    ]),
  ]
  const parts = ['%PDF-1.4\n']
  const offsets: number[] = []
  for (const [index, object] of objects.entries()) {
    offsets.push(parts.join('').length)
    parts.push(`${index + 1} 0 obj\n${object}\nendobj\n`)
  }
  const start = parts.join('').length
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const count = objects.length + 1
  return `${parts.join('')}xref\n0 ${count}\n0000000000 65535 f \n${entries}trailer\n<</Size ${count}/Root 1 0 R>>\nstartxref\n${start}\n%%EOF\n`
}
