/** Plays the demo's run through the HTTP API, as any pipeline would, and shows it as it goes. */
import { sender } from '#services/import/send.ts'
import type { PlayedPart } from '#services/gym/play.ts'
import type { Client } from './client.ts'
import { bar, count, decimal, type ProgressLine, type Terminal } from './terminal.ts'

/** What was played. */
export interface Played {
  readonly images: number
  readonly events: number
  /** Includes everything that was sent. */
  readonly position: string
  /** The CloudEvents source of the events. */
  readonly source: string
}

export interface DemoPlayOptions {
  readonly parts: AsyncIterable<PlayedPart>
  readonly client: Client
  readonly key: string | undefined
  readonly terminal: Terminal
  readonly progress: ProgressLine
}

const BAR_CELLS = 24
const encoder = new TextEncoder()

/** Puts the pictures, sends the events, and shows progress. Throws where the server refuses something. */
export async function playThrough({ parts, client, key, terminal, progress }: DemoPlayOptions): Promise<Played> {
  const { bold, dim, blue } = terminal.paint
  const out = sender({
    url: client.url,
    key,
    inFlightMax: 2,
    onRetry: (reason) => progress.keep(`  ${reason}; trying again`),
  })
  const images = new Set<string>()
  let events = 0
  let source = ''
  for await (const { events: played, images: pictures, about } of parts) {
    for (const { image_id, media_type, bytes } of pictures) {
      await client.fetch(`/v1/images/${image_id}`, {
        method: 'PUT',
        headers: { 'content-type': media_type },
        body: new Uint8Array(bytes),
      })
      images.add(image_id)
    }
    await out.add(played.map((event) => encoder.encode(JSON.stringify(event))))
    events += played.length
    source = played[0]?.source ?? source
    const share = about.trajectories_done / about.trajectories_total
    const done = `${count(about.trajectories_done)} of ${count(about.trajectories_total)} rollouts`
    if (about.phase === 'item') progress.show(`  drawing  ${dim(about.question)}`)
    else if (about.phase === 'group')
      progress.show(`  playing  ${bar(share, BAR_CELLS)}  ${done}  ${dim(about.question)}`)
    else if (about.phase === 'train_step') {
      progress.keep(
        `  policy ${bold(`v${about.policy_version}`)}  ${blue(bar(about.accuracy, BAR_CELLS))}  right ${decimal(about.accuracy * 100, 0).padStart(3)} %  mean reward ${decimal(about.mean_reward, 2)}`,
      )
    }
  }
  const position = await out.finish()
  return { images: images.size, events, position: position ?? '', source }
}
