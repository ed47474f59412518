/** `stepstore explain`: everything about one id or one place in the log. */
import { fields, rowsOf, textOf } from './client.ts'
import type { Command } from './command.ts'
import { reach } from './reached.ts'
import type { Paint } from './terminal.ts'

/** Longer values are cut in words; --json has them whole. */
const VALUE_CHARACTERS_MAX = 400

export const explain: Command = {
  spec: {
    name: 'explain',
    summary: 'Tells what an id is: its verdict, its rows, its Parquet files, and how to get it.',
    positionals: '<id>',
    count: [1, 1],
    options: {},
    examples: ['stepstore explain demo-rl', 'stepstore explain 2:1034'],
  },
  run: async (context) => {
    const { terminal, json, args } = context
    const config = context.config()
    const reached = await reach(context, config)
    try {
      const answer = fields(
        await reached.client.get(`/v1/explain/${encodeURIComponent(args.words[0] ?? '')}?after=latest`),
      )
      if (json) terminal.out(`${JSON.stringify(answer)}\n`)
      else
        for (const thing of rowsOf(answer['found'])) terminal.out(said(thing, config.key !== undefined, terminal.paint))
      return 0
    } finally {
      await reached.close()
    }
  },
}

function said(thing: Readonly<Record<string, unknown>>, needsKey: boolean, { bold, dim }: Paint): string {
  const kind = textOf(thing['kind']) ?? ''
  const lines = [`${bold(kind)}  ${textOf(thing['says']) ?? ''}`]
  for (const [name, value] of Object.entries(fields(thing['row']))) {
    if (value === null) continue
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    lines.push(
      `  ${dim(name.padEnd(22))} ${text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text}`,
    )
  }
  for (const file of rowsOf(thing['files'])) lines.push(`  ${dim('parquet'.padEnd(22))} ${textOf(file['path']) ?? ''}`)
  const bearer = needsKey ? '-H "Authorization: Bearer $STEPSTORE_KEY" ' : ''
  for (const url of Array.isArray(thing['urls']) ? thing['urls'] : [])
    lines.push(`  ${dim('get it'.padEnd(22))} curl ${bearer}'${String(url)}'`)
  return `${lines.join('\n')}\n\n`
}
