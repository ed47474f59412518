/** Tools that run elsewhere, at the addresses that the configuration names. */
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

/** The remote tools of the setting STEPSTORE_GYM_TOOLS. Throws misuse where it makes no sense. */
export function remoteTools(setting: string, definitions: readonly ToolDefinition[]): RemoteTools {
  const addresses = addressesOf(setting, definitions)
  return {
    remotes: [...addresses].map(([tool, address]) => ADAPTERS[address.wire](tool, address)),
    definitions: definitions.map((definition) => {
      const { timeout_ms, retries, concurrency } = addresses.get(definition.name) ?? {}
      return {
        ...definition,
        ...(timeout_ms === undefined ? {} : { timeout_ms }),
        ...(retries === undefined ? {} : { retries }),
        ...(concurrency === undefined ? {} : { concurrency }),
      }
    }),
  }
}
