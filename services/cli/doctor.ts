/** `stepstore doctor`: what is set and where from, what is reachable, what is wrong and the command that mends it. */
import { readFileSync } from 'node:fs'
import type { Config } from '#services/config.ts'
import type { Inspection } from '#services/serve/inspect.ts'
import { client, fields, rowsOf, textOf, type Client } from './client.ts'
import type { Command } from './command.ts'
import { count, size, table, type Paint } from './terminal.ts'

/** Something wrong, and what to do. */
interface Finding {
  readonly what: string
  readonly mend: string
}

/** What a server says of itself. */
interface ServerState {
  readonly ready: boolean
  readonly reasons: readonly Readonly<Record<string, unknown>>[]
  readonly position: Readonly<Record<string, unknown>>
  readonly snapshot: Readonly<Record<string, unknown>> | undefined
}

/** Less free space than this is a finding. */
const FREE_BYTES_MIN = 1024 ** 3

export const doctor: Command = {
  spec: {
    name: 'doctor',
    summary:
      'Prints versions, every setting with its source, what is reachable, and what is wrong with the command that mends it.',
    positionals: '',
    count: [0, 0],
    options: {},
    examples: ['stepstore doctor'],
  },
  run: async ({ config, json, now, terminal }) => {
    const settings = config()
    const { inspectDataFolder } = await import('#services/serve/inspect.ts')
    const server = client({ url: settings.url, key: settings.key })
    const findings: Finding[] = []
    const state = (await server.isThere()) ? await stateOf(server, findings) : undefined
    const inspection = await inspectDataFolder(settings, new Date(now()))
    const versions = versionsOf()
    findings.push(
      ...versionFindings(versions),
      ...folderFindings(inspection, settings, state !== undefined),
      ...nameFindings(settings),
    )
    if (json) {
      const { problems: _problems, ...folder } = inspection
      terminal.out(
        `${JSON.stringify({ ok: findings.length === 0, versions, settings: settings.lines, server: state ?? null, data_folder: folder, findings })}\n`,
      )
    } else terminal.out(said({ versions, settings, state, inspection, findings }, terminal.paint))
    return findings.length === 0 ? 0 : 1
  },
}

interface Versions {
  readonly stepstore: string
  readonly node: string
  readonly node_wanted: string
}

function versionsOf(): Versions {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const manifest = fields(JSON.parse(text))
  return {
    stepstore: textOf(manifest['version']) ?? '',
    node: process.versions.node,
    node_wanted: textOf(fields(manifest['dependencies'])['node']) ?? '',
  }
}

function versionFindings({ node, node_wanted: wanted }: Versions): Finding[] {
  return node === wanted
    ? []
    : [
        {
          what: `Node ${node} runs this, and ${wanted} is what it was tested with`,
          mend: 'npm ci, then npx stepstore …',
        },
      ]
}

async function stateOf(server: Client, findings: Finding[]): Promise<ServerState | undefined> {
  try {
    const position = fields(await server.get('/v1/position'))
    const ready = await readiness(server)
    for (const reason of ready.reasons) {
      const isFailing = reason['code'] === 'failing'
      findings.push({
        what: textOf(reason['detail']) ?? 'not ready',
        mend: isFailing
          ? 'see the log of the server; restart it; if it goes on, stepstore rebuild projection'
          : 'wait: it goes on by itself',
      })
    }
    const newest = rowsOf(fields(await server.get('/v1/snapshots?limit=1'))['rows'])[0]
    return { ...ready, position, snapshot: newest }
  } catch (error) {
    const hint = error instanceof Error && 'hint' in error ? textOf(error.hint) : undefined
    findings.push({
      what: `the server at ${server.url} answers, but: ${error instanceof Error ? error.message : String(error)}`,
      mend: hint ?? 'is STEPSTORE_URL that of a Stepstore server, and STEPSTORE_KEY its key?',
    })
    return undefined
  }
}

async function readiness(server: Client): Promise<{ ready: boolean; reasons: Readonly<Record<string, unknown>>[] }> {
  const { status, body } = await server.answer('/readyz')
  const said = fields(body)
  return {
    ready: status === 200,
    reasons: said['reasons'] === undefined && status !== 200 ? [said] : rowsOf(said['reasons']),
  }
}

function folderFindings(
  { problems, freeBytes, store, storeHeldBy }: Inspection,
  { dataDir, url }: Config,
  isServed: boolean,
): Finding[] {
  const findings = problems.map((problem): Finding => ({
    what: problem.message,
    mend: problem.hint ?? 'see the files of the data folder',
  }))
  if (freeBytes !== undefined && freeBytes < FREE_BYTES_MIN)
    findings.push({
      what: `only ${size(freeBytes)} are free on the disk of ${dataDir}`,
      mend: 'free some space, or set DATA_DIR to another disk',
    })
  if (store === 'in doubt' && !isServed)
    findings.push({
      what: 'the machine went down while the store was open',
      mend: 'npm start: it folds the store again from the log by itself',
    })
  if (storeHeldBy !== undefined && !isServed)
    findings.push({
      what: `${storeHeldBy}, and nothing answers at ${url}`,
      mend: 'set STEPSTORE_URL to where that process serves, or stop it',
    })
  return findings
}

function nameFindings({ ignored }: Config): Finding[] {
  return ignored
    .filter((name) => name === 'STEPSTORE_PORT')
    .map((name) => ({
      what: `${name} is ignored, since Kubernetes sets names like it`,
      mend: 'to choose the port, set PORT',
    }))
}

interface Report {
  readonly versions: Versions
  readonly settings: Config
  readonly state: ServerState | undefined
  readonly inspection: Inspection
  readonly findings: readonly Finding[]
}

function said({ versions, settings, state, inspection, findings }: Report, paint: Paint): string {
  const { bold, dim, green, red } = paint
  const columns = [{ head: '' }, { head: '' }, { head: '' }]
  const settingRows = settings.lines.map(({ name, value, source }) => [
    name,
    value === '' ? dim('not set') : value,
    dim(source),
  ])
  const findingLines = findings.map(({ what, mend }) => `  ${red('!')} ${what}\n    ${bold(mend)}\n`)
  return [
    `${bold('Versions')}\n`,
    table(
      [{ head: '' }, { head: '' }],
      [
        ['stepstore', versions.stepstore],
        ['node', versions.node],
      ],
      paint,
    ),
    `\n${bold('Settings')}\n`,
    table(columns, settingRows, paint),
    `\n${bold('Server')}\n`,
    table([{ head: '' }, { head: '' }], serverRows(settings.url, state, paint), paint),
    `\n${bold('Data folder')}\n`,
    table([{ head: '' }, { head: '' }], folderRows(inspection), paint),
    `\n${bold('Findings')}\n`,
    findings.length === 0 ? `  ${green('none')}\n` : findingLines.join(''),
  ].join('')
}

function serverRows(url: string, state: ServerState | undefined, { dim, green, yellow }: Paint): string[][] {
  if (state === undefined)
    return [
      ['url', url],
      ['state', dim('not running')],
    ]
  const { position, snapshot } = state
  const end = offsetsOf(textOf(position['log_end_offsets']))
  const folded = offsetsOf(textOf(position['offsets']))
  const lag = [...end].reduce((sum, [partition, offset]) => sum + Math.max(0, offset - (folded.get(partition) ?? 0)), 0)
  return [
    ['url', url],
    ['state', state.ready ? green('ready') : yellow('not ready')],
    ['log ends at', textOf(position['log_end_offsets']) || dim('empty')],
    ['store includes', `${textOf(position['offsets']) || dim('nothing')}  ${dim(`${count(lag)} records behind`)}`],
    [
      'lake',
      snapshot === undefined
        ? dim('no snapshot yet')
        : `snapshot ${String(snapshot['snapshot_id'])} of ${textOf(snapshot['created_at']) ?? ''}`,
    ],
  ]
}

function offsetsOf(text: string | undefined): Map<string, number> {
  return new Map(
    (text ?? '')
      .split(',')
      .filter((part) => part !== '')
      .map((part) => [part.split(':')[0] ?? '', Number(part.split(':')[1])]),
  )
}

function folderRows({ format, freeBytes, log, store, storeHeldBy, blobs }: Inspection): string[][] {
  return [
    ['format', format === undefined ? 'new' : String(format)],
    [
      'log',
      log === undefined
        ? 'new'
        : `${log.id}, ${log.bounds.map(({ start, end }, partition) => `${partition}:[${start}, ${end})`).join(' ')}`,
    ],
    ['store', `${store}${storeHeldBy === undefined ? '' : `; ${storeHeldBy}`}`],
    ['blobs', blobs],
    ['free space', freeBytes === undefined ? 'not known' : size(freeBytes)],
  ]
}
