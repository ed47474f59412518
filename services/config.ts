/**
 * Every setting, read once from the environment and passed down. No other file reads the environment.
 * What a setting means, its default and where its value came from stand here, so that `doctor` can print them.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isAbsolute, join, resolve } from 'node:path'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from './problem.ts'
import type { Level } from './logger.ts'

/** The programs that keep and answer: where the parts are embedded, one process runs them all. */
export const PROGRAMS = ['ingest', 'project', 'archive', 'query'] as const
/** Those and the gym, which needs none of them beside it: it publishes to STEPSTORE_URL. */
export const ALL_PROGRAMS = [...PROGRAMS, 'gym'] as const
export type Program = (typeof ALL_PROGRAMS)[number]

/** One setting as it stands, fit to be printed: secrets are masked. */
export interface SettingLine {
  readonly name: string
  readonly value: string
  readonly source: 'environment' | 'default' | 'command line'
  readonly description: string
}

/** Everything that the programs need to know of the outside. Folders are absolute. */
export interface Config {
  readonly dataDir: string
  readonly host: string
  /** 0 asks the system for a free one. */
  readonly port: number
  /** The base of URLs that are handed out; undefined means that of the socket. No slash at the end. */
  readonly publicUrl: string | undefined
  /** Where commands find the server. No slash at the end. */
  readonly url: string
  /** What every request must bear, where set. */
  readonly key: string | undefined
  /** The key of the endpoint that `gym run` asks for turns, where it needs one. */
  readonly openAiKey: string | undefined
  readonly log: { readonly kind: 'lmdb'; readonly folder: string } | { readonly kind: 'kafka'; readonly url: string }
  readonly store:
    | { readonly kind: 'pglite'; readonly folder: string }
    | { readonly kind: 'postgres'; readonly url: string }
  readonly blobs:
    | { readonly kind: 'directory'; readonly folder: string }
    | { readonly kind: 's3'; readonly url: string; readonly cacheFolder: string }
  readonly programs: readonly Program[]
  /** Whether other processes may work on the same store: then work is claimed, and given up when it is not renewed for `leaseMs`. */
  readonly shared: boolean
  readonly leaseMs: number
  readonly logLevel: Level
  /** Where the gym's remote tools are, as JSON; empty where there are none. */
  readonly gymTools: string
  /** How long a snapshot of the lake is kept, in days. */
  readonly snapshotDays: number
  /** Small files of the lake are merged up to this size. */
  readonly lakeFileBytesMax: number
  /** Every setting, for `doctor`. */
  readonly lines: readonly SettingLine[]
  /** STEPSTORE_* names that were left alone because Kubernetes injects names like them. */
  readonly ignored: readonly string[]
}

/** Settings by name, such as process.env. An empty value counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a server listens unless told otherwise. */
const PORT = '7070'

const SETTINGS = {
  DATA_DIR: { otherwise: () => './data', description: 'the folder of the embedded log, store and blobs' },
  HOST: {
    otherwise: () => '127.0.0.1',
    description: 'the address to listen on; anything but loopback needs STEPSTORE_KEY',
  },
  PORT: { otherwise: () => PORT, description: 'the port to listen on; 0 takes a free one' },
  STEPSTORE_PUBLIC_URL: {
    otherwise: () => '',
    description: 'the base of the URLs that are handed out (default: the address listened on)',
  },
  STEPSTORE_URL: {
    // The port of a gym alone is its own, and no server's.
    otherwise: (read: Read) => `http://127.0.0.1:${read('PROGRAMS').trim() === 'gym' ? PORT : read('PORT')}`,
    description: 'where commands find the server, and a gym alone the one that it publishes to',
  },
  STEPSTORE_KEY: { otherwise: () => '', description: 'the key that every request must bear', secret: true },
  OPENAI_API_KEY: {
    otherwise: () => '',
    description: 'the key of the endpoint that `gym run --policy openai:<url>` asks',
    secret: true,
  },
  STEPSTORE_LOG_LEVEL: {
    otherwise: () => 'warn',
    description: 'debug, info, warn or error: which log lines go to stderr',
  },
  LOG_URL: {
    otherwise: (read: Read) => `lmdb:${join(read('DATA_DIR'), 'log')}`,
    description: 'the log: lmdb:<folder> or kafka://[user:password@]host:port[,host:port]/topic',
  },
  STORE_URL: {
    otherwise: (read: Read) => `pglite:${join(read('DATA_DIR'), 'store')}`,
    description: 'the store: pglite:<folder> or postgres://user:password@host:port/database',
  },
  BLOBS_URL: {
    otherwise: (read: Read) => `file:${join(read('DATA_DIR'), 'blobs')}`,
    description: 'the blobs: file:<folder> or s3://bucket/prefix?endpoint=…&region=…',
  },
  SNAPSHOT_DAYS: {
    otherwise: () => '30',
    description: 'how many days a snapshot of the lake is kept; datasets that were built stay for ever',
  },
  LAKE_FILE_MIB: {
    otherwise: () => '256',
    description: 'small files of the lake are merged up to this size in MiB; a quarter of it is large enough',
  },
  PROGRAMS: {
    otherwise: () => ALL_PROGRAMS.join(','),
    description: 'which programs this process runs, parted by commas',
  },
  STEPSTORE_GYM_TOOLS: {
    otherwise: () => '',
    description:
      'where remote tools of the gym are: JSON such as {"GroundingDINO": {"url": "http://host:5000", "wire": "verl-tool"}}, or a file of it',
  },
  STEPSTORE_LEASE_S: {
    otherwise: () => '10',
    description: 'after how many seconds without a sign of life the work of a process goes to another one, 1 to 600',
  },
} as const satisfies Record<string, { otherwise: (read: Read) => string; description: string; secret?: boolean }>

/** The name of a setting. */
export type SettingName = keyof typeof SETTINGS
/** Settings that win over the environment. */
export type Overrides = Readonly<Partial<Record<SettingName, string>>>
type Read = (name: 'PORT' | 'DATA_DIR' | 'PROGRAMS') => string

/** A setting or an argument that makes no sense: commands end with 2 where they meet it. */
export function misuse(detail: string, hint: string): Problem {
  return new Problem('invalid', detail, { hint, details: { misuse: true } })
}

/**
 * Reads and checks all settings. `overrides` (from the command line) win over the environment.
 * Throws `invalid` with what is wrong and what to do.
 */
export function readConfig(environment: Environment = process.env, overrides: Overrides = {}): Config {
  const ignored = checkNames(environment)
  const source = (name: SettingName) =>
    overrides[name] !== undefined ? 'command line' : environment[name] ? 'environment' : 'default'
  const read = (name: SettingName): string => overrides[name] ?? (environment[name] || SETTINGS[name].otherwise(read))
  const key = read('STEPSTORE_KEY') || undefined
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw misuse('STEPSTORE_KEY has letters that a header cannot carry', 'use visible ASCII without spaces')
  }
  const log = logOf(read('LOG_URL'))
  const store = storeOf(read('STORE_URL'))
  const blobs = blobsOf(read('BLOBS_URL'), resolve(read('DATA_DIR')))
  return {
    dataDir: resolve(read('DATA_DIR')),
    host: hostOf(read('HOST'), key),
    port: portOf(read('PORT')),
    publicUrl:
      read('STEPSTORE_PUBLIC_URL') === '' ? undefined : baseOf('STEPSTORE_PUBLIC_URL', read('STEPSTORE_PUBLIC_URL')),
    url: baseOf('STEPSTORE_URL', read('STEPSTORE_URL')),
    key,
    openAiKey: read('OPENAI_API_KEY') || undefined,
    log,
    store,
    blobs,
    programs: programsOf(read('PROGRAMS'), { log, store, blobs }),
    shared: store.kind === 'postgres' && log.kind === 'kafka',
    leaseMs: leaseOf(read('STEPSTORE_LEASE_S')),
    logLevel: levelOf(read('STEPSTORE_LOG_LEVEL')),
    gymTools: jsonOf('STEPSTORE_GYM_TOOLS', read('STEPSTORE_GYM_TOOLS')),
    snapshotDays: wholeOf('SNAPSHOT_DAYS', read('SNAPSHOT_DAYS'), 1, 36_500),
    lakeFileBytesMax: wholeOf('LAKE_FILE_MIB', read('LAKE_FILE_MIB'), 1, 4_096) * 1024 * 1024,
    lines: (Object.keys(SETTINGS) as SettingName[]).map((name) => ({
      name,
      value: masked(name, read(name)),
      source: source(name),
      description: SETTINGS[name].description,
    })),
    ignored,
  }
}

/** Whether to write in colour: on a terminal, unless NO_COLOR says no. */
export function colourWanted(isTerminal: boolean, environment: Environment = process.env): boolean {
  return isTerminal && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
}

/** Refuses names with our prefix that are none of ours. Answers those that Kubernetes injects for a service of our name. */
function checkNames(environment: Environment): string[] {
  const ignored: string[] = []
  for (const name of Object.keys(environment).toSorted()) {
    if (!name.startsWith('STEPSTORE_') || name in SETTINGS) continue
    if (/^STEPSTORE_.*(SERVICE_|PORT)/.test(name)) {
      ignored.push(name)
      continue
    }
    const ours = Object.keys(SETTINGS)
    const bare = (full: string): string => full.replace(/^STEPSTORE_/, '')
    const nearBare = nearest(bare(name), ours.map(bare))
    const near = ours.find((known) => bare(known) === nearBare)
    throw misuse(
      `unknown setting ${name.slice(0, 80)}`,
      near === undefined
        ? `the settings are ${ours.join(', ')}`
        : `did you mean ${near}? Rename it, or unset ${name.slice(0, 80)}`,
    )
  }
  return ignored
}

function masked(name: SettingName, value: string): string {
  if (name === 'STEPSTORE_KEY' || name === 'OPENAI_API_KEY') return value === '' ? '' : '********'
  if (name === 'STEPSTORE_GYM_TOOLS') return value.replace(/("key"\s*:\s*")(?:[^"\\]|\\.)*/g, '$1********')
  return value.replace(/\/\/[^/]*@/g, '//********@').replace(/([?&](?:token|key|password)=)[^&]*/gi, '$1********')
}

/** The folder of a URL such as `lmdb:./data/log`. */
function folderOf(name: SettingName, url: string, scheme: string): string {
  const found = /^([a-z0-9+.-]+:)(.*)$/is.exec(url)
  const given = found?.[1]?.toLowerCase() ?? ''
  const rest = found?.[2] ?? ''
  if (given !== `${scheme}:`) {
    throw misuse(
      `${name}: ${masked(name, url).slice(0, 120)} is no ${scheme}:<folder>`,
      `use ${scheme}:<folder>, such as ${scheme}:./data/${scheme}`,
    )
  }
  if (rest === '') throw misuse(`${name} names no folder`, `use ${scheme}:<folder>`)
  if (rest.startsWith('//')) {
    if (!rest.startsWith('///'))
      throw misuse(`${name}: a folder on another host`, `use ${scheme}:/absolute/folder or ${scheme}:relative/folder`)
    return fileURLToPath(`file:${rest}`)
  }
  return isAbsolute(rest) ? rest : resolve(rest)
}

/** A topic is named as it is; its adapter reads the rest of the URL. */
function logOf(url: string): Config['log'] {
  if (/^kafka:\/\//i.test(url)) return { kind: 'kafka', url }
  return { kind: 'lmdb', folder: folderOf('LOG_URL', url, 'lmdb') }
}

/** A Postgres is named as it is; its adapter reads the rest of the URL. */
function storeOf(url: string): Config['store'] {
  if (/^postgres(ql)?:\/\//i.test(url)) return { kind: 'postgres', url }
  return { kind: 'pglite', folder: folderOf('STORE_URL', url, 'pglite') }
}

function blobsOf(url: string, dataDir: string): Config['blobs'] {
  if (/^s3:\/\//i.test(url)) return { kind: 's3', url, cacheFolder: join(dataDir, 'cache') }
  return { kind: 'directory', folder: folderOf('BLOBS_URL', url, 'file') }
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[?::1\]?)$/i

function hostOf(host: string, key: string | undefined): string {
  if (!LOOPBACK.test(host) && key === undefined) {
    throw misuse(
      `HOST=${host} lets other machines in, and there is no key`,
      'set STEPSTORE_KEY, which every request must then bear, or use HOST=127.0.0.1',
    )
  }
  return host.replace(/^\[(.*)\]$/, '$1')
}

function portOf(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw misuse(`PORT=${text.slice(0, 40)} is no port`, 'use 0 to 65535')
  return Number(text)
}

function baseOf(name: SettingName, text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw misuse(
      `${name}=${masked(name, text).slice(0, 120)} is no base of URLs`,
      'use http://host:port or https://host/path',
    )
  }
  return url.href.replace(/\/+$/, '')
}

/** JSON as it is, or what the file of that name holds; whoever needs it reads it. */
function jsonOf(name: SettingName, text: string): string {
  if (text === '' || text.trimStart().startsWith('{')) return text
  try {
    return readFileSync(text, 'utf8')
  } catch (error) {
    throw misuse(
      `${name}: ${text.slice(0, 120)} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      'give JSON that begins with {, or the name of a file of it',
    )
  }
}

function levelOf(text: string): Level {
  if (text === 'debug' || text === 'info' || text === 'warn' || text === 'error') return text
  throw misuse(`STEPSTORE_LOG_LEVEL=${text.slice(0, 40)} is no level`, 'use debug, info, warn or error')
}

/** Where a process keeps things. */
type Places = Pick<Config, 'log' | 'store' | 'blobs'>

function wholeOf(name: SettingName, text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw misuse(`${name}=${text.slice(0, 40)} is not possible`, `use a whole number from ${min} to ${max}`)
}

/** Why one process has to run every program, where it has to. */
function togetherBecause(
  programs: readonly Program[],
  { log, store, blobs }: Places,
): readonly [string, string] | undefined {
  // Ingest alone needs no store.
  const usesStore = log.kind === 'lmdb' || programs.some((program) => program !== 'ingest')
  if (store.kind === 'pglite' && usesStore)
    return ['STORE_URL is a PGlite folder', 'PGlite can be open in one process only (a second one would lose data)']
  if (log.kind === 'lmdb') return ['LOG_URL is an LMDB folder', 'LMDB is written by one process only']
  if (blobs.kind === 'directory')
    return ['BLOBS_URL is a folder', 'the others would look for images and lake files in folders of their own']
  return undefined
}

function leaseOf(text: string): number {
  const seconds = Number(text)
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || seconds < 1 || seconds > 600)
    throw misuse(`STEPSTORE_LEASE_S=${text.slice(0, 40)} is no time to wait`, 'use 1 to 600 seconds')
  return seconds * 1000
}

function programsOf(text: string, places: Places): Program[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  for (const name of names) {
    if ((ALL_PROGRAMS as readonly string[]).includes(name)) continue
    const near = nearest(name, ALL_PROGRAMS)
    throw misuse(
      `unknown program ${name.slice(0, 40)}`,
      near === undefined ? `the programs are ${ALL_PROGRAMS.join(', ')}` : `did you mean ${near}?`,
    )
  }
  const programs = ALL_PROGRAMS.filter((program) => names.includes(program))
  if (programs.length === 0) throw misuse('PROGRAMS names no program', `the programs are ${ALL_PROGRAMS.join(', ')}`)
  // The gym has no part in what the others keep.
  if (programs.every((program) => program === 'gym')) return programs
  const missing = PROGRAMS.filter((program) => !names.includes(program))
  const because = missing.length === 0 ? undefined : togetherBecause(programs, places)
  if (because === undefined) return programs
  const [what, why] = because
  throw misuse(
    `PROGRAMS leaves out ${missing.join(', ')}, but ${what}`,
    `${why}, so that process runs every program: leave PROGRAMS unset, or use kafka://, postgres:// and s3://`,
  )
}
