/** `stepstore quarantine`: what could not be read, and what to do with it. */
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { client, fields, noServer, numberOf, rowsOf, textOf, type Client } from './client.ts'
import type { Command, CommandContext } from './command.ts'
import { count, table } from './terminal.ts'

const ACTIONS = ['ls', 'show', 'retry', 'drop'] as const

export const quarantine: Command = {
  spec: {
    name: 'quarantine',
    summary:
      'Lists, shows, retries and drops records that could not be read. They stay in the log in any case. Of an id its beginning is enough.',
    positionals: 'ls | show <id…> | retry <id…> | drop <id…>',
    count: [1, 1000],
    options: { limit: { value: 'N', description: 'how many to list (default 100)' } },
    examples: ['stepstore quarantine ls', 'stepstore quarantine show 9f86d081', 'stepstore quarantine retry 9f86d081'],
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
    const whole: string[] = []
    for (const id of ids) whole.push(await wholeId(server, id))
    for (const id of whole) await act(server, action, id, context)
    return 0
  },
}

const ID_LENGTH = 64
/** Of an id the list shows this much: enough to be the only one among millions. */
const SHOWN_LENGTH = 12

/** The id that begins as given. Throws `not_found` where none does, and misuse where several do. */
async function wholeId(server: Client, given: string): Promise<string> {
  if (given.length === ID_LENGTH) return given
  const prefix = given.replace(/…$/, '')
  const found = /^[0-9a-f]+$/.test(prefix)
    ? rowsOf(fields(await server.get(`/v1/quarantine?after=latest&state=all&limit=2&id_prefix=${prefix}`))['rows'])
    : []
  const [first, second] = found.map((row) => textOf(row['quarantine_id']) ?? '')
  if (first === undefined)
    throw new Problem('not_found', `no quarantined record's id begins with ${prefix.slice(0, 80)}`, {
      hint: '`stepstore quarantine ls` lists the open ones',
    })
  if (second !== undefined)
    throw misuse(`several ids begin with ${prefix}`, `such as ${first} and ${second}: give more of it`)
  return first
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
  const columns = [{ head: 'id' }, { head: 'seen', right: true }, { head: 'code' }, { head: 'what was wrong' }]
  const told = rows.map((row) => [
    (textOf(row['quarantine_id']) ?? '').slice(0, SHOWN_LENGTH),
    count(numberOf(row['n_seen'])),
    textOf(row['code']) ?? '',
    textOf(row['message']) ?? '',
  ])
  terminal.out(table(columns, fitted(told, terminal.width), terminal.paint))
  terminal.out(`\n  ${terminal.paint.dim('stepstore quarantine show <id> tells what came and what to do')}\n`)
  if (textOf(page['next']) !== undefined) terminal.out('  … and more: give a larger --limit\n')
  return 0
}

/** Cuts the last cells so that no line of the table is wider than the terminal; without one, to 80 characters each. */
function fitted(rows: readonly (readonly string[])[], width: number | undefined): string[][] {
  const others = [0, 1, 2].reduce((sum, at) => sum + 2 + Math.max(4, ...rows.map((row) => (row[at] ?? '').length)), 2)
  const room = width === undefined ? 80 : Math.max(20, width - others)
  const cut = (text: string): string => (text.length > room ? `${text.slice(0, room - 1)}…` : text)
  return rows.map((row) => [...row.slice(0, 3), cut((row[3] ?? '').replaceAll(/\s+/g, ' '))])
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
