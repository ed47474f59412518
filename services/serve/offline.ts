/** The data folder without a server: the same routes, answered in this process. For commands while nothing else runs. */
import { jsonLogger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { dataFormat } from './data-folder.ts'
import { openGround } from './ground.ts'
import type { ServeOptions } from './main.ts'
import { openScratch } from './scratch.ts'
import { openWorld } from './world.ts'

export interface Offline {
  readonly fetch: (request: Request) => Response | Promise<Response>
  close(): Promise<void>
}

/** Opens the data folder. Throws `not_found` where there is none, `store_in_use` where another process has it. */
export async function openOffline({ config, write, clock, onRebuild }: ServeOptions): Promise<Offline> {
  if ((await dataFormat(config.dataDir)) === undefined) {
    throw new Problem('not_found', `no server answers at ${config.url}, and there is no data in ${config.dataDir}`, {
      hint: 'start a server with `npm start`, or set STEPSTORE_URL or DATA_DIR to where it is',
    })
  }
  const logger = jsonLogger({ program: 'offline', level: config.logLevel, write, now: clock })
  const ground = await openGround(config, { logger, clock })
  const { log, blobs } = ground
  const scratch = await openScratch(config, clock())
  try {
    const world = await openWorld({
      config,
      log,
      blobs,
      logger,
      clock,
      publicUrl: config.publicUrl ?? config.url,
      scratchDir: scratch.folder,
      onRebuild,
    })
    return {
      fetch: world.fetch,
      close: async () => {
        await world.close()
        await scratch.close()
        await ground.close()
      },
    }
  } catch (error) {
    await ground.close()
    throw error
  }
}
