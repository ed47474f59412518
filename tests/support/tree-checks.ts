import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'

/** One fault of the tree: where, and what is wrong. */
export type TreeFault = `${string}: ${string}`

const unread = new Set(['node_modules', '.git', 'data', 'coverage'])
const text = new Set(['.ts', '.js', '.json', '.md', '.sql', '.yaml', '.yml', '.sh', '.py', '.html', '.css'])
const code = new Set(['.ts', '.js'])
const linesMax = 400

/** Every text file below `root`, as a path from it, node_modules, data and generated folders left out. */
export function textFiles(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return unread.has(entry.name) || entry.name === 'generated' ? [] : textFiles(root, path)
    return entry.isFile() && (text.has(extname(path)) || folder === '.ci') ? [path] : []
  })
}

/** Files of code or SQL with more lines than a reader can hold. */
export function longFiles(root: string): TreeFault[] {
  return textFiles(root).flatMap((path): TreeFault[] => {
    if (!code.has(extname(path)) && extname(path) !== '.sql') return []
    const lines = read(root, path).trimEnd().split('\n').length
    return lines > linesMax ? [`${path}: ${lines} lines, at most ${linesMax}`] : []
  })
}

/** Words that mark unfinished work; spelt in halves, so that this file is not its own fault. */
export function leftoverMarkers(root: string): TreeFault[] {
  const marker = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK', 'W' + 'IP'].join('|')})\\b`)
  return faultyLines(root, marker, 'a leftover marker')
}

/** Folders that exist on one person's machine only. */
export function machinePaths(root: string): TreeFault[] {
  const folders = ['/ho' + 'me/\\w', '/Use' + 'rs/\\w', '/ro' + 'ot/', '/wo' + 'rk/', '[A-Z]:\\\\Us' + 'ers']
  return faultyLines(root, new RegExp(`(?:^|[\\s'"\`(=:])(?:${folders.join('|')})`), 'a path of one machine')
}

/** Imports that climb or that name a place on the disk. The linter sees code; this sees tests, scripts and examples too. */
export function strayImports(root: string): TreeFault[] {
  const stray = /^\s*(?:import|export)\b.*?['"](?:\.\.\/|\/|file:)|\bimport\(\s*['"](?:\.\.\/|\/|file:)/
  return faultyLines(root, stray, 'an import that climbs or is absolute', (path) => code.has(extname(path)))
}

/** Tests switched off by hand: a condition with its reason in the name is the only way to skip. */
export function silencedTests(root: string): TreeFault[] {
  const silenced = /^\s*(?:it|test|describe)\.(?:skip|only|todo)\b(?!If)/
  return faultyLines(root, silenced, 'a test switched off by hand', (path) => path.endsWith('.test.ts'))
}

/** Test files that the runner would not find. */
export function unfoundTests(root: string): TreeFault[] {
  return textFiles(root)
    .filter((path) => /\.(?:test|spec)\.[jt]s$/.test(path) && !(path.startsWith('tests/') && path.endsWith('.test.ts')))
    .map((path): TreeFault => `${path}: tests are named tests/**/*.test.ts`)
}

/** Migrations that differ from the hash they were released with (`migrations/frozen.json`: file to sha256). */
export function thawedMigrations(root: string): TreeFault[] {
  const folder = join(root, 'migrations')
  if (!existsSync(folder)) return []
  const list = join(folder, 'frozen.json')
  const frozen = existsSync(list) ? object(JSON.parse(readFileSync(list, 'utf8'))) : {}
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'))
  const missing = Object.keys(frozen).filter((name) => !files.includes(name))
  return [
    ...missing.map((name): TreeFault => `migrations/${name}: frozen, and now missing`),
    ...files.flatMap((name): TreeFault[] => {
      const hash = createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')
      if (frozen[name] === undefined) return [`migrations/${name}: not in frozen.json; its hash is ${hash}`]
      return frozen[name] === hash ? [] : [`migrations/${name}: changed after its release; write a new migration`]
    }),
  ]
}

/** Lock entries that bind an install to one registry, or that would make `npm ci` refuse to start. */
export function lockFaults(root: string): TreeFault[] {
  const packages = object(object(JSON.parse(read(root, 'package-lock.json')))['packages'])
  return Object.entries(packages).flatMap(([path, value]): TreeFault[] => {
    const entry = object(value)
    const optional = Object.keys(object(entry['optionalDependencies'] ?? {}))
    const absent = optional.filter(
      (name) => !foldersAbove(path).some((folder) => `${folder}node_modules/${name}` in packages),
    )
    return [
      ...(typeof entry['resolved'] === 'string'
        ? [`package-lock.json: ${path} records a download address` as const]
        : []),
      ...absent.map((name): TreeFault => `package-lock.json: ${path} wants ${name}, which has no entry`),
    ]
  })
}

/** Dependencies that are not one exact version. */
export function looseVersions(root: string): TreeFault[] {
  const manifest = object(JSON.parse(read(root, 'package.json')))
  return ['dependencies', 'devDependencies'].flatMap((kind) =>
    Object.entries(object(manifest[kind])).flatMap(([name, version]): TreeFault[] =>
      /^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(String(version)) ? [] : [`package.json: ${name} is not one exact version`],
    ),
  )
}

function foldersAbove(path: string): string[] {
  const parts = path.split('node_modules/')
  return [`${path}/`, ...parts.map((_, index) => parts.slice(0, index).join('node_modules/'))]
}

function faultyLines(root: string, fault: RegExp, what: string, among = (_path: string) => true): TreeFault[] {
  return textFiles(root).flatMap((path): TreeFault[] =>
    path === 'package-lock.json' || !among(path)
      ? []
      : read(root, path)
          .split('\n')
          .flatMap((line, index): TreeFault[] => (fault.test(line) ? [`${path}:${index + 1}: ${what}`] : [])),
  )
}

function read(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new TypeError('an object was expected')
  return Object.fromEntries(Object.entries(value))
}
