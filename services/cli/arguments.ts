/** Reads the words after `stepstore <command>`. Mistyped ones are refused, naming the nearest known one. */
import { parseArgs } from 'node:util'
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'

/** An option of a command, by its long name. */
export interface OptionSpec {
  /** The word that stands for its value in the help; a flag has none. */
  readonly value?: string
  readonly description: string
}

export interface CommandSpec {
  readonly name: string
  /** One line: what it does. */
  readonly summary: string
  /** What follows the command's name, such as `<format> <path…|->`. */
  readonly positionals: string
  /** How many words may follow: [least, most]. */
  readonly count: readonly [number, number]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Lines to try. */
  readonly examples: readonly string[]
}

/** What was given. */
export interface Arguments {
  readonly words: readonly string[]
  flag(name: string): boolean
  text(name: string): string | undefined
  /** A whole number. Throws where it is none. */
  integer(name: string): number | undefined
}

/** Every command takes these. */
export const COMMON: Readonly<Record<string, OptionSpec>> = {
  json: { description: 'print one JSON object instead of words' },
  help: { description: 'print this' },
}

/** Reads arguments by `spec`. Throws `invalid` (misuse) on what it does not know. */
export function readArguments(spec: CommandSpec, given: readonly string[]): Arguments {
  const known = { ...spec.options, ...COMMON }
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { value }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string' } as const,
    ]),
  )
  const { tokens } = parseArgs({
    args: [...given],
    options: { ...options, h: { type: 'boolean' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const words: string[] = []
  const values = new Map<string, string | true>()
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const name = token.name === 'h' ? 'help' : token.name
    const option = known[name]
    if (option === undefined) throw unknownOption(spec, known, token.rawName)
    if (option.value === undefined && token.value !== undefined)
      throw misuse(`--${name} takes no value`, `see: stepstore ${spec.name} --help`)
    if (option.value !== undefined && token.value === undefined)
      throw misuse(`--${name} needs a value`, `such as --${name} ${option.value}`)
    if (option.value !== undefined && token.inlineValue === false && token.value?.startsWith('--') === true) {
      throw misuse(`--${name} needs a value`, `such as --${name} ${option.value}`)
    }
    values.set(name, token.value ?? true)
  }
  if (!values.has('help')) checkCount(spec, words)
  return new GivenArguments(words, values)
}

class GivenArguments implements Arguments {
  readonly words: readonly string[]
  readonly #values: ReadonlyMap<string, string | true>

  constructor(words: readonly string[], values: ReadonlyMap<string, string | true>) {
    this.words = words
    this.#values = values
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return value === true ? undefined : value
  }

  integer(name: string): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!/^\d{1,15}$/.test(value))
      throw misuse(`--${name} ${value.slice(0, 40)} is no whole number`, `such as --${name} 0`)
    return Number(value)
  }
}

function unknownOption(spec: CommandSpec, known: Readonly<Record<string, OptionSpec>>, rawName: string): Error {
  const near = nearest(rawName.replace(/^-+/, ''), Object.keys(known))
  return misuse(
    `unknown option ${rawName.slice(0, 60)}`,
    near === undefined
      ? `see: stepstore ${spec.name} --help`
      : `did you mean --${near}? See: stepstore ${spec.name} --help`,
  )
}

function checkCount(spec: CommandSpec, words: readonly string[]): void {
  const [least, most] = spec.count
  if (words.length < least) throw misuse(`${spec.name} needs ${spec.positionals}`, `see: stepstore ${spec.name} --help`)
  if (words.length > most) {
    throw misuse(
      `${spec.name} does not know what to do with ${JSON.stringify((words[most] ?? '').slice(0, 60))}`,
      `see: stepstore ${spec.name} --help`,
    )
  }
}

/** The help of a command. */
export function helpText(spec: CommandSpec): string {
  const options = { ...spec.options, ...COMMON }
  const left = Object.entries(options).map(([name, { value }]) => `--${name}${value === undefined ? '' : ` ${value}`}`)
  const width = Math.max(...left.map((text) => text.length))
  return [
    `stepstore ${[spec.name, spec.positionals].filter((part) => part !== '').join(' ')}`,
    `  ${spec.summary}`,
    '',
    ...Object.values(options).map(({ description }, index) => `  ${(left[index] ?? '').padEnd(width)}  ${description}`),
    '',
    ...spec.examples.map((example) => `  $ ${example}`),
    '',
  ].join('\n')
}
