/** The look of every page: plain, readable, light and dark, no script and no font from elsewhere. */
export const style = `
  :root {
    color-scheme: light dark; --ink: #1a1f36; --soft: #5b6472; --line: #dfe3ea; --paper: #ffffff; --panel: #f6f8fb;
    --accent: #0b57d0; --on-accent: #ffffff; --bad: #b3261e; --bad-paper: #fdeceb; --good: #146c43; --good-paper: #e6f4ec;
    font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif }
  @media (prefers-color-scheme: dark) { :root {
    --ink: #eceff5; --soft: #a3acba; --line: #353b47; --paper: #14171d; --panel: #1c2028; --accent: #8ab4f8;
    --on-accent: #10131a; --bad: #ffb4ab; --bad-paper: #3b1714; --good: #7ddba3; --good-paper: #12301f } }
  * { box-sizing: border-box }
  body { margin: 0; color: var(--ink); background: var(--paper) }
  a { color: var(--accent); text-underline-offset: .2em }
  h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 0 0 .75rem }
  p { margin: 0 0 .75rem } .soft { color: var(--soft) } .small { font-size: .875rem }
  header.bar { display: flex; gap: .75rem; align-items: center; padding: 1rem 1.5rem; border-bottom: 1px solid var(--line) }
  header.bar strong { font-size: 1.05rem } header.bar .back { margin-left: auto }
  .badge { font-size: .75rem; font-weight: 600; padding: .1rem .5rem; border-radius: 1rem; background: var(--panel);
    color: var(--soft); border: 1px solid var(--line); white-space: nowrap }
  .badge.paid, .badge.default { color: var(--good); background: var(--good-paper); border-color: transparent }
  .badge.open, .badge.uncollectible { color: var(--bad); background: var(--bad-paper); border-color: transparent }
  main { max-width: 64rem; margin: 0 auto; padding: 2rem 1.5rem; display: grid; gap: 2rem }
  main.two { grid-template-columns: minmax(0, 5fr) minmax(0, 6fr) } main.narrow { max-width: 32rem }
  @media (max-width: 48rem) { main.two { grid-template-columns: minmax(0, 1fr) } }
  section { min-width: 0 } section.card { border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem 1.5rem }
  aside { background: var(--panel); border-radius: .75rem; padding: 1.5rem; align-self: start }
  aside > :last-child { margin-bottom: 0 }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
  td, th { text-align: left; padding: .6rem .5rem .6rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
  th { font-weight: 600; color: var(--soft); font-size: .875rem } tr:last-child > * { border-bottom: 0 }
  td.amount, th.amount { text-align: right; padding-right: 0; white-space: nowrap }
  tr.total > * { font-weight: 700; color: var(--ink); font-size: 1rem; border-top: 1px solid var(--ink) }
  fieldset { border: 0; padding: 0; margin: 0 0 1.25rem } legend { font-weight: 600; padding: 0; margin-bottom: .25rem }
  label { display: block; font-size: .875rem; font-weight: 500; margin: .75rem 0 .25rem }
  input:not([type=radio]), select { font: inherit; color: inherit; background: var(--paper); width: 100%;
    padding: .6rem .75rem; border: 1px solid var(--line); border-radius: .5rem }
  input:focus-visible, select:focus-visible, button:focus-visible, a:focus-visible { outline: 2px solid var(--accent);
    outline-offset: 1px }
  .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem }
  button, a.button { font: inherit; font-weight: 600; cursor: pointer; padding: .7rem 1.25rem; border-radius: .5rem;
    border: 1px solid transparent; background: var(--accent); color: var(--on-accent) }
  a.button { display: block; text-align: center; text-decoration: none } button.wide { width: 100% } button.plain { background: transparent; color: var(--accent); border-color: var(--line);
    padding: .35rem .75rem; font-size: .875rem } .actions { display: flex; gap: .75rem; flex-wrap: wrap; align-items: center }
  .actions.after { margin-top: 1rem } form.inline { display: inline }
  .error, .done { border-radius: .5rem; padding: .75rem 1rem; font-weight: 500 }
  .error { color: var(--bad); background: var(--bad-paper) } .done { color: var(--good); background: var(--good-paper) }
  ul.methods { list-style: none; margin: 0 0 1rem; padding: 0 } ul.methods li { display: flex; gap: .75rem; flex-wrap: wrap;
    align-items: center; padding: .75rem 0; border-bottom: 1px solid var(--line) } ul.methods .actions { margin-left: auto }
  .together { white-space: nowrap }
  .choice { display: flex; gap: .75rem; align-items: center; margin: .5rem 0; font-size: 1rem; font-weight: 400 }
  .sum { font-size: 2rem; font-weight: 700; line-height: 1.2; font-variant-numeric: tabular-nums }
  details summary { cursor: pointer; color: var(--accent); font-weight: 500 }
  details[open] > summary { margin-bottom: 1rem }
  @media (max-width: 36rem) { table.history tr { display: flex; flex-wrap: wrap; align-items: center; gap: 0 1rem;
      padding: .75rem 0; border-bottom: 1px solid var(--line) } table.history tr:last-child { border-bottom: 0 }
    table.history td { border: 0; padding: .1rem 0 } table.history td:nth-child(4) { margin-left: auto }
    table.history tr:first-child { display: none } }
  footer { max-width: 64rem; margin: 0 auto; padding: 1rem 1.5rem 2rem; color: var(--soft); font-size: .8125rem }
  footer code { font-size: .8125rem; white-space: nowrap }`
