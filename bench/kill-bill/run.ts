import { fileURLToPath } from 'node:url'
import { measureAll } from '../support/measure-all.ts'
import { measureArgs, measureHelp, readMeasureOptions } from '../support/options.ts'
import { comparison } from './comparison.ts'
import { download, versions } from './download.ts'
import { isAlone, runAlone } from './namespace.ts'
import { programOptions } from '../../test/support/program-options.ts'

const help = `npm run bench:killbill -- [options]

Gives the product and Kill Bill ${versions.killBill} (Tomcat ${versions.tomcat}, tuned as its documents tell, on the same PostgreSQL) the same work in
turn. Downloads both by Maven into a cache outside of the project, about 70 MB, once; needs Java 11 to 17, unzip, and, since Kill
Bill opens ports on every interface, Linux and root: everything runs in a network of its own.

${measureHelp}
  --open            without a network of its own: anyone who reaches this machine reaches Kill Bill meanwhile`

const values = programOptions({ ...measureArgs, open: { type: 'boolean', default: false } })
const options = readMeasureOptions(values)

if (values.help) console.log(help)
else if (typeof options === 'string') {
  console.error(options)
  process.exitCode = 2
} else {
  const downloads = await download((line) => console.error(line))
  if (isAlone() || values.open) await measureAll([comparison(downloads)], options)
  else process.exitCode = await runAlone([fileURLToPath(import.meta.url), ...process.argv.slice(2)])
}
