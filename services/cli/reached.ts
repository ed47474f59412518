/** Reaches what a command is about: a running server, or with none running the data folder, opened here. */
import type { Config } from '#services/config.ts'
import { client, type Client } from './client.ts'
import type { CommandContext } from './command.ts'
import { rebuildLine } from './running.ts'

export interface Reached {
  readonly client: Client
  /** Whether a server answers, or the data folder is open in this process. */
  readonly by: 'server' | 'data folder'
  close(): Promise<void>
}

/**
 * The server at STEPSTORE_URL, or else the data folder. Throws `store_in_use` where another process has that open without
 * answering at that URL, and `not_found` where there is no data folder either.
 */
export async function reach(context: CommandContext, config: Config): Promise<Reached> {
  const server = client({ url: config.url, key: config.key })
  if (await server.isThere()) return { client: server, by: 'server', close: async () => {} }
  const { openOffline } = await import('#services/serve/offline.ts')
  const rebuild = rebuildLine(context.terminal, context.now)
  const offline = await openOffline({
    config,
    write: (line) => context.terminal.err(line),
    clock: () => new Date(context.now()),
    onRebuild: rebuild.show,
  })
  return {
    client: client({ url: config.url, key: config.key, transport: offline.fetch }),
    by: 'data folder',
    close: () => offline.close(),
  }
}
