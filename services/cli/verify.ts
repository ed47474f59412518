/** `stepstore verify`: log, store and lake compared at one position. */
import { fields, numberOf, rowsOf, textOf } from './client.ts'
import type { Command } from './command.ts'
import { reach } from './reached.ts'
import { count, progressLine, table } from './terminal.ts'
import { numbersText, verifiedNumbers } from './verify-numbers.ts'

/** Differences printed as words; --json has all that the server lists. */
const SHOWN_MAX = 50

export const verifyCommand: Command = {
  spec: {
    name: 'verify',
    summary: 'Compares log, store and lake at one position. Exit code 1 with a table where they differ.',
    positionals: '',
    count: [0, 0],
    options: {
      numbers: { description: "compare every statistic, too, with one made anew from the lake's raw events and steps" },
    },
    examples: ['stepstore verify', 'stepstore verify --json', 'stepstore verify --numbers'],
  },
  run: async (context) => {
    const { terminal, json, now } = context
    const reached = await reach(context, context.config())
    const progress = progressLine(terminal, now)
    try {
      progress.show(`  comparing log, store and lake (asking the ${reached.by})`)
      const report = fields(await reached.client.post('/v1/verify', {}))
      const numbers = context.args.flag('numbers')
        ? await verifiedNumbers(reached.client, (text) => progress.show(text))
        : undefined
      progress.end()
      const ok = report['ok'] === true && numbers?.ok !== false
      if (json) {
        terminal.out(`${JSON.stringify(numbers === undefined ? report : { ...report, ok, numbers })}\n`)
        return ok ? 0 : 1
      }
      const { bold, green, red, dim } = terminal.paint
      const counts = Object.entries(fields(report['counts'])).map(([name, value]) => [
        name.replace('_', ' '),
        count(numberOf(value)),
      ])
      terminal.out(table([{ head: '' }, { head: '', right: true }], counts, terminal.paint))
      terminal.out(`  ${dim('events include what Stepstore itself notes, such as image.stored for each picture')}\n`)
      for (const note of Array.isArray(report['notes']) ? report['notes'] : []) terminal.out(`  ${dim(String(note))}\n`)
      if (numbers !== undefined) terminal.out(numbersText(numbers, terminal))
      if (ok) {
        terminal.out(
          `\n  ${green('Log, store and lake agree.')} ${dim(`position ${textOf(report['position']) ?? ''}`)}\n`,
        )
        return 0
      }
      const differences = rowsOf(report['differences'])
      const total = numberOf(report['n_differences']) || differences.length
      if (total === 0) return 1
      terminal.out(`\n  ${red(`${count(total)} differences`)}\n\n`)
      const rows = differences
        .slice(0, SHOWN_MAX)
        .map((found) => [
          said(found['where']),
          said(found['key']),
          said(found['what']),
          said(found['expected']),
          said(found['found']),
        ])
      terminal.out(
        table(
          [{ head: 'where' }, { head: 'key' }, { head: 'what' }, { head: 'expected' }, { head: 'found' }],
          rows,
          terminal.paint,
        ),
      )
      if (total > rows.length) terminal.out(`  … and ${count(total - rows.length)} more\n`)
      terminal.out(
        `\n  ${bold('stepstore rebuild projection')} folds the store again; ${bold('stepstore rebuild catalog')} reads the catalog from blobs\n`,
      )
      return 1
    } finally {
      progress.end()
      await reached.close()
    }
  },
}

function said(value: unknown): string {
  if (value === undefined) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
