/** Where remote tools are: the setting STEPSTORE_GYM_TOOLS, read and checked. */
import { misuse } from '#services/config.ts'
import { nearest } from '#services/core/nearest.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'

/** How a remote tool is spoken to. */
export const WIRES = ['verl-tool', 'openai'] as const
export type Wire = (typeof WIRES)[number]

/** Where a remote tool is, and how it is asked. */
export interface Address {
  readonly url: string
  readonly wire: Wire
  /** The model's name, for `openai`. Default: the tool's own. */
  readonly model?: string
  /** The tool's name at the router, for `verl-tool`. Default: the tool's own. */
  readonly name?: string
  /** Sent as a bearer token. */
  readonly key?: string
  /** Instead of the tool's own limits. */
  readonly timeout_ms?: number
  readonly retries?: number
  readonly concurrency?: number
}

const FIELDS = ['url', 'wire', 'model', 'name', 'key', 'timeout_ms', 'retries', 'concurrency'] as const
const LIMITS = { timeout_ms: [100, 600_000], retries: [0, 10], concurrency: [1, 256] } as const
const EXAMPLE = '{"GroundingDINO": {"url": "http://127.0.0.1:5000", "wire": "verl-tool"}}'

/**
 * The addresses of a setting such as the EXAMPLE, by the tool's own name (aliases are understood). An empty text is none.
 * Throws misuse for what is no such thing, a tool that is unknown, and values out of range.
 */
export function addressesOf(text: string, definitions: readonly ToolDefinition[]): ReadonlyMap<string, Address> {
  const found = new Map<string, Address>()
  if (text.trim() === '') return found
  for (const [given, value] of Object.entries(objectOf(text))) {
    const name = toolNamed(given, definitions)
    if (found.has(name)) throw misuse(`STEPSTORE_GYM_TOOLS names ${name} twice`, 'name each tool once; aliases count')
    found.set(name, addressOf(name, value))
  }
  return found
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw misuse('STEPSTORE_GYM_TOOLS is no JSON', `such as ${EXAMPLE}`)
  }
  if (isObject(value)) return value
  throw misuse('STEPSTORE_GYM_TOOLS is no JSON object', `such as ${EXAMPLE}`)
}

function toolNamed(given: string, definitions: readonly ToolDefinition[]): string {
  const bare = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  const found = definitions.find(({ name, aliases }) => [name, ...aliases].some((known) => bare(known) === bare(given)))
  if (found !== undefined) return found.name
  const names = definitions.map(({ name }) => name)
  const near = nearest(given, [...names, ...definitions.flatMap(({ aliases }) => aliases)])
  throw misuse(
    `STEPSTORE_GYM_TOOLS: there is no tool ${JSON.stringify(given.slice(0, 60))}`,
    near === undefined ? `the tools are ${names.join(', ')}` : `did you mean ${near}?`,
  )
}

function addressOf(name: string, value: unknown): Address {
  const where = `STEPSTORE_GYM_TOOLS: ${name}`
  if (!isObject(value)) throw misuse(`${where} is no object`, `such as ${EXAMPLE}`)
  for (const field of Object.keys(value)) {
    if ((FIELDS as readonly string[]).includes(field)) continue
    const near = nearest(field, FIELDS)
    throw misuse(
      `${where} has an unknown field ${JSON.stringify(field.slice(0, 40))}`,
      near === undefined ? `the fields are ${FIELDS.join(', ')}` : `did you mean ${near}?`,
    )
  }
  return {
    url: urlOf(where, value['url']),
    wire: wireOf(where, value['wire']),
    ...optional(where, value, ['model', 'name', 'key'] as const),
    ...limits(where, value),
  }
}

function urlOf(where: string, given: unknown): string {
  const url = typeof given === 'string' ? URL.parse(given) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw misuse(
      `${where} has no url that can be used`,
      'use http://host:port or https://host/path; a key goes into "key"',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function wireOf(where: string, given: unknown): Wire {
  const wire = WIRES.find((known) => known === given)
  if (wire !== undefined) return wire
  throw misuse(`${where} names no wire`, `"wire" is ${WIRES.join(' or ')}`)
}

function optional<Name extends string>(
  where: string,
  value: Readonly<Record<string, unknown>>,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const given = names.filter((name) => value[name] !== undefined)
  return Object.fromEntries(
    given.map((name) => {
      const text = value[name]
      if (typeof text === 'string' && text !== '' && text.length <= 1_000) return [name, text]
      throw misuse(`${where}: ${name} is no text`, 'use 1 to 1,000 letters, or leave it out')
    }),
  ) as Partial<Record<Name, string>>
}

function limits(where: string, value: Readonly<Record<string, unknown>>): Partial<Record<keyof typeof LIMITS, number>> {
  return Object.fromEntries(
    Object.entries(LIMITS).flatMap(([name, [least, most]]) => {
      const given = value[name]
      if (given === undefined) return []
      if (typeof given === 'number' && Number.isInteger(given) && given >= least && given <= most)
        return [[name, given]]
      throw misuse(`${where}: ${name} is not possible`, `use a whole number from ${least} to ${most}`)
    }),
  )
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
