/** Tools that run elsewhere, at the addresses that the configuration names. */
import Type from 'typebox'
import type { RemoteTool } from '#services/gym/tools/tools.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import { addressesOf, type Address, type Wire } from './addresses.ts'
import { routerTool } from './router.ts'
import { visionTool } from './vision-endpoint.ts'

/** Remote tools and, with the limits that their addresses set, all definitions. */
export interface RemoteTools {
  readonly remotes: readonly RemoteTool[]
  readonly definitions: readonly ToolDefinition[]
}

const ADAPTERS: Readonly<Record<Wire, (tool: string, address: Address) => RemoteTool>> = {
  'verl-tool': routerTool,
  openai: visionTool,
}

/** What a tool that runs here by itself is given when it is called at an address instead. */
const FAR = { runs: 'remote', timeout_ms: 60_000, retries: 2, concurrency: 8 } as const

/** The remote tools of the setting STEPSTORE_GYM_TOOLS. An address goes before what runs here. Throws misuse where it makes no sense. */
export function remoteTools(setting: string, definitions: readonly ToolDefinition[]): RemoteTools {
  const addresses = addressesOf(setting, definitions)
  return {
    remotes: [...addresses].map(([tool, address]) => ADAPTERS[address.wire](tool, address)),
    definitions: definitions.map((definition) => {
      const address = addresses.get(definition.name)
      if (address === undefined) return definition
      const { timeout_ms, retries, concurrency } = address
      return {
        ...(definition.runs === 'local' ? { ...definition, ...FAR, tasks: answeringInWords(definition) } : definition),
        ...(timeout_ms === undefined ? {} : { timeout_ms }),
        ...(retries === undefined ? {} : { retries }),
        ...(concurrency === undefined ? {} : { concurrency }),
      }
    }),
  }
}

/** What models answer that stand in for a tool of ours: its own data, or, but for boxes and masks, words. */
const WORDS = Type.Object({ processed_output: Type.String() }, { additionalProperties: true })

function answeringInWords({ family, tasks }: ToolDefinition): ToolDefinition['tasks'] {
  if (family === 'Perception') return tasks
  return Object.fromEntries(
    Object.entries(tasks).map(([name, task]) => [name, { ...task, output: Type.Union([task.output, WORDS]) }]),
  )
}
