/** `stepstore doctor`: what is set and where from, what is reachable, what is wrong and the command that mends it. */
import { readFileSync } from 'node:fs'
import { type Config, misuse, type Overrides } from '#services/config.ts'
import type { Inspection } from '#services/serve/inspect.ts'
import { asProblem } from '#services/problem.ts'
import { client, fields, rowsOf, textOf, type Client } from './client.ts'
import type { Command } from './command.ts'
import { demoSettings } from './demo-folder.ts'
import { askUpkeep, bytesByRun, bytesTable, upkeepRows, type RunBytes } from './doctor-upkeep.ts'
import { count, size, table, type Paint } from './terminal.ts'
import type { Upkeep } from '#services/verify/upkeep.ts'

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
    options: {
      bytes: { description: 'add up the room that each run takes in log, lake and datasets (asks a running server)' },
    },
    examples: ['stepstore doctor', 'stepstore doctor --bytes'],
  },
  run: async ({ args, config, json, now, terminal }) => {
    const settings = config()
    const findings: Finding[] = []
    const server = client({ url: settings.url, key: settings.key })
    const state = await askedServer(server, findings)
    const described = await describedFolder(config, state, new Date(now()))
    const { inspection } = described
    const kept = await lookedAfter(
      settings,
      state === undefined ? undefined : server,
      { now: new Date(now()), withBytes: args.flag('bytes') },
      findings,
    )
    const versions = versionsOf()
    findings.push(
      ...versionFindings(versions),
      ...folderFindings(inspection, described.settings, state !== undefined),
      ...strangerFindings(described, settings.url),
      ...nameFindings(settings),
    )
    if (json) {
      const { problems: _problems, ...rest } = inspection
      const folder = { path: described.settings.dataDir, of_server: described.ofServer ?? null, ...rest }
      terminal.out(
        `${JSON.stringify({ ok: findings.length === 0, versions, settings: settings.lines, server: state ?? null, data_folder: folder, upkeep: kept.upkeep ?? null, bytes_by_run: kept.bytes ?? null, findings })}\n`,
      )
    } else terminal.out(said({ versions, settings, state, described, kept, findings }, terminal.paint))
    return findings.length === 0 ? 0 : 1
  },
}

interface LookedAfter {
  readonly upkeep: Upkeep | undefined
  readonly bytes: readonly RunBytes[] | undefined
}

/** Lag, orphans and the like, and the room that runs take where that was asked for. What cannot be told is a finding. */
async function lookedAfter(
  settings: Config,
  server: Client | undefined,
  { now, withBytes }: { readonly now: Date; readonly withBytes: boolean },
  findings: Finding[],
): Promise<LookedAfter> {
  const tried = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work()
    } catch (error) {
      const problem = asProblem(error)
      findings.push({ what: problem.message, mend: problem.hint ?? 'see the log of the server' })
      return undefined
    }
  }
  const upkeep = await tried(() => askUpkeep(settings, server, now))
  findings.push(...(upkeep?.findings ?? []))
  if (!withBytes) return { upkeep, bytes: undefined }
  if (server === undefined)
    throw misuse(
      '--bytes asks a server, and none answers',
      'start one with npm start, or set STEPSTORE_URL to where it is',
    )
  return { upkeep, bytes: await tried(() => bytesByRun(server)) }
}

/** The folder that is described, and whether it is the server's; undefined where no server tells. */
interface Described {
  readonly settings: Config
  readonly inspection: Inspection
  readonly ofServer: boolean | undefined
}

/** The folder of the server where it can be found (by the identity of its log: DATA_DIR, or the demo in it), else DATA_DIR. */
async function describedFolder(
  config: (overrides?: Overrides) => Config,
  state: ServerState | undefined,
  now: Date,
): Promise<Described> {
  const { inspectDataFolder } = await import('#services/serve/inspect.ts')
  const settings = config()
  const inspection = await inspectDataFolder(settings, now)
  const served = textOf(state?.position['log_id'])
  if (served === undefined || inspection.log?.id === served)
    return { settings, inspection, ofServer: served === undefined ? undefined : true }
  const ofDemo = config(demoSettings(settings))
  const demo = await inspectDataFolder(ofDemo, now)
  if (demo.log?.id === served) return { settings: ofDemo, inspection: demo, ofServer: true }
  return { settings, inspection, ofServer: false }
}

/** Two sets of data at once: commands that talk to the server see the one, and those that open the folder the other. */
function strangerFindings({ settings, inspection, ofServer }: Described, url: string): Finding[] {
  return ofServer !== false || inspection.log === undefined
    ? []
    : [
        {
          what: `the server at ${url} serves another data folder than ${settings.dataDir}`,
          mend: 'set DATA_DIR to the folder of that server, or STEPSTORE_URL to the server of this folder',
        },
      ]
}

async function askedServer(server: Client, findings: Finding[]): Promise<ServerState | undefined> {
  try {
    return (await server.isThere()) ? await stateOf(server, findings) : undefined
  } catch (error) {
    const problem = asProblem(error)
    findings.push({ what: problem.message, mend: problem.hint ?? 'restart it' })
    return undefined
  }
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
      const isFailing = reason['code'] === 'failing' || reason['code'] === 'not_answering'
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
  readonly described: Described
  readonly kept: LookedAfter
  readonly findings: readonly Finding[]
}

function said({ versions, settings, state, described, kept, findings }: Report, paint: Paint): string {
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
    `\n${bold('Data folder')}  ${described.settings.dataDir}  ${dim(OWNER[String(described.ofServer)] ?? '')}\n`,
    table([{ head: '' }, { head: '' }], folderRows(described.inspection), paint),
    `\n${bold('Upkeep')}\n`,
    table([{ head: '' }, { head: '' }], upkeepRows(kept.upkeep, paint), paint),
    kept.bytes === undefined ? '' : `\n${bold('Room by run')}\n${bytesTable(kept.bytes, paint)}`,
    `\n${bold('Findings')}\n`,
    findings.length === 0 ? `  ${green('none')}\n` : findingLines.join(''),
  ].join('')
}

/** Whose folder it is. */
const OWNER: Readonly<Record<string, string>> = {
  true: 'which the server serves',
  false: 'which is not that of the server: it serves another one',
  undefined: 'of DATA_DIR',
}

function serverRows(url: string, state: ServerState | undefined, { dim, green, yellow }: Paint): string[][] {
  if (state === undefined)
    return [
      ['url', url],
      ['state', dim('no answer')],
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
