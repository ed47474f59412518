/** `stepstore quarantine`: what could not be read, and what to do with it. */
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { client, fields, noServer, numberOf, rowsOf, textOf, type Client } from './client.ts'
import type { Command, CommandContext } from './command.ts'
import { count, table } from './terminal.ts'

const ACTIONS = ['ls', 'show', 'retry', 'drop'] as const

export const quarantine: Command = {
  spec: {
    name: 'quarantine',
    summary: 'Lists, shows, retries and drops records that could not be read. They stay in the log in any case.',
    positionals: 'ls | show <id> | retry <id…> | drop <id…>',
    count: [1, 1000],
    options: { limit: { value: 'N', description: 'how many to list (default 100)' } },
    examples: ['stepstore quarantine ls', 'stepstore quarantine show 9f86d0…', 'stepstore quarantine retry 9f86d0…'],
  },
  run: async (context) => {
    const [word = '', ...ids] = context.args.words
    const action = ACTIONS.find((known) => known === word)
    if (action === undefined) {
      const near = nearest(word, ACTIONS)
      throw misuse(
        `quarantine does not know ${word.slice(0, 40)}`,
        near === undefined ? `it knows ${ACTIONS.join(', ')}` : `did you mean ${near}?`,
      )
    }
    if (action !== 'ls' && ids.length === 0)
      throw misuse(`quarantine ${action} needs an id`, '`stepstore quarantine ls` lists them')
    const { key, url } = context.config()
    const server = client({ url, key })
    if (!(await server.isThere())) throw noServer(url)
    if (action === 'ls') return await list(server, context)
    for (const id of ids) await act(server, action, id, context)
    return 0
  },
}

const path = (id: string): string => `/v1/quarantine/${encodeURIComponent(id)}`

async function list(server: Client, { args, json, terminal }: CommandContext): Promise<0> {
  const page = fields(await server.get(`/v1/quarantine?after=latest&limit=${args.integer('limit') ?? 100}`))
  const rows = rowsOf(page['rows'])
  if (json) {
    terminal.out(`${JSON.stringify(page)}\n`)
    return 0
  }
  if (rows.length === 0) {
    terminal.out('  Nothing is in quarantine.\n')
    return 0
  }
  const columns = [
    { head: 'id' },
    { head: 'state' },
    { head: 'seen', right: true },
    { head: 'code' },
    { head: 'what was wrong' },
  ]
  terminal.out(
    table(
      columns,
      rows.map((row) => [
        textOf(row['quarantine_id']) ?? '',
        textOf(row['state']) ?? '',
        count(numberOf(row['n_seen'])),
        textOf(row['code']) ?? '',
        (textOf(row['message']) ?? '').slice(0, 80),
      ]),
      terminal.paint,
    ),
  )
  if (textOf(page['next']) !== undefined) terminal.out('  … and more: give a larger --limit\n')
  return 0
}

async function act(
  server: Client,
  action: 'show' | 'retry' | 'drop',
  id: string,
  { json, terminal }: CommandContext,
): Promise<void> {
  const answer =
    action === 'show'
      ? await server.get(path(id))
      : action === 'drop'
        ? await server.delete(path(id))
        : await server.post(`${path(id)}/retry`, {})
  if (json) terminal.out(`${JSON.stringify(answer ?? { quarantine_id: id, done: action })}\n`)
  else if (action !== 'show') terminal.out(`  ${action === 'drop' ? 'dropped' : 'retried'} ${id}\n`)
  else {
    for (const [name, value] of Object.entries(fields(answer))) {
      terminal.out(
        `  ${terminal.paint.dim(name.padEnd(14))} ${typeof value === 'string' ? value : JSON.stringify(value)}\n`,
      )
    }
  }
}
