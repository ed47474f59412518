// Parses every expression of a file of alert rules with Prometheus' own grammar: node check-rules.mjs <rules> <node_modules>
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [rules = '', modules = ''] = process.argv.slice(2)
const load = createRequire(join(modules, 'package.json'))
const { parser } = load('@prometheus-io/lezer-promql')
const { parse } = load('yaml')

let wrong = 0
for (const { rules: group } of parse(readFileSync(rules, 'utf8')).groups) {
  for (const { alert, expr } of group) {
    parser.parse(expr).iterate({
      enter: (node) => {
        if (!node.type.isError) return
        wrong += 1
        process.stdout.write(`ERROR ${alert}: not PromQL at "${expr.slice(node.from, node.from + 30)}"\n`)
      },
    })
  }
}
process.exitCode = wrong === 0 ? 0 : 1
