/** `stepstore rebuild`: the store's rows again from the log, or the lake's catalog again from its records in blobs. */
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { client } from './client.ts'
import type { Command } from './command.ts'
import { rebuildLine } from './running.ts'
import { count } from './terminal.ts'

const WHAT = ['projection', 'catalog'] as const

export const rebuild: Command = {
  spec: {
    name: 'rebuild',
    summary:
      'Makes the rows of the store again from the log, or the catalog of the lake from its records in blobs. The server must not run.',
    positionals: 'projection | catalog',
    count: [1, 1],
    options: {},
    examples: ['stepstore rebuild projection', 'stepstore rebuild catalog'],
  },
  run: async ({ args, config, terminal, now, json }) => {
    const word = args.words[0] ?? ''
    // `project` is the name that the projection's cursors bear.
    const what = WHAT.find((known) => known === (word === 'project' ? 'projection' : word))
    if (what === undefined) {
      const near = nearest(word, WHAT)
      throw misuse(
        `rebuild does not know ${word.slice(0, 40)}`,
        near === undefined ? `it knows ${WHAT.join(' and ')}` : `did you mean ${near}?`,
      )
    }
    const settings = config()
    if (await client({ url: settings.url, key: settings.key }).isThere()) {
      throw new Problem('conflict', `a server runs at ${settings.url}, and it owns the store`, {
        hint: 'stop it, run this again, then start it',
      })
    }
    const { rebuildOffline } = await import('#services/serve/rebuild.ts')
    const line = rebuildLine(terminal, now)
    const result = await rebuildOffline(what, {
      config: settings,
      write: (text) => terminal.err(text),
      clock: () => new Date(now()),
      onRebuild: line.show,
    })
    if (json) terminal.out(`${JSON.stringify({ rebuilt: what, ...result })}\n`)
    else
      terminal.out(
        `  ${terminal.paint.green(`rebuilt the ${what}`)}: ${count(result.records)} records folded, ${count(result.snapshots)} snapshots in the catalog\n`,
      )
    return 0
  },
}
