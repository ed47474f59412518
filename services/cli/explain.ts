/** `stepstore explain`: everything about one id or one place in the log. */
import { fields, rowsOf, textOf } from './client.ts'
import type { Command } from './command.ts'
import { reach } from './reached.ts'
import type { Paint } from './terminal.ts'

/** The longest name of a fact. */
const NAME_WIDTH = 20
const FILES_SHOWN_MAX = 6

export const explain: Command = {
  spec: {
    name: 'explain',
    summary:
      'Tells what became of an id or a place in the log: verdict, reward, what is missing, where it lies, whether datasets have it. --json has every column.',
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
  const lines = [`${bold(textOf(thing['kind']) ?? '')}  ${textOf(thing['says']) ?? ''}`]
  const told = (name: string, text: string): void => {
    lines.push(`  ${dim(name.padEnd(NAME_WIDTH))}  ${text}`)
  }
  for (const { name, says } of rowsOf(thing['facts'])) told(textOf(name) ?? '', textOf(says) ?? '')
  const files = rowsOf(thing['files'])
  for (const file of files.slice(0, FILES_SHOWN_MAX)) told('file in the lake', textOf(file['path']) ?? '')
  if (files.length > FILES_SHOWN_MAX) told('', `… and ${files.length - FILES_SHOWN_MAX} more: --json has all`)
  const bearer = needsKey ? '-H "Authorization: Bearer $STEPSTORE_KEY" ' : ''
  for (const url of Array.isArray(thing['urls']) ? thing['urls'] : []) told('get it', `curl ${bearer}'${String(url)}'`)
  return `${lines.join('\n')}\n\n`
}
