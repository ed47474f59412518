/** Plays the demo's run through the HTTP API, as any pipeline would, and shows it as it goes. */
import { sender } from '#services/import/send.ts'
import type { PlayedPart } from '#services/gym/run/demo.ts'
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

/** Parts that are made before they are asked for, the first ones from now on, at most `most` at a time. */
export function madeAhead<Part>(parts: AsyncGenerator<Part>, most: number): AsyncGenerator<Part> {
  const made: Promise<IteratorResult<Part>>[] = []
  const make = (): void => {
    const part = parts.next()
    // What fails is told to the one who asks for it.
    part.catch(() => {})
    made.push(part)
  }
  for (let place = 0; place < most; place++) make()
  return taken()
  async function* taken(): AsyncGenerator<Part> {
    for (let part = await made.shift(); part?.done === false; part = await made.shift()) {
      make()
      yield part.value
    }
  }
}

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
    for (const { image_id, bytes } of pictures) {
      const put = { method: 'PUT', headers: { 'content-type': 'image/png' }, body: new Uint8Array(bytes) }
      const answer = await client.fetch(`/v1/images/${image_id}`, put)
      // Read to its end: until then the client keeps watch over it, and the process alive.
      await answer.arrayBuffer()
      images.add(image_id)
    }
    await out.add(played.map((event) => encoder.encode(JSON.stringify(event))))
    events += played.length
    source = played[0]?.source ?? source
    const shown = `  playing  ${bar(about.done / about.total, BAR_CELLS)}  ${count(about.done)} of ${count(about.total)} rollouts`
    if (about.phase === 'group') progress.show(`${shown}  ${dim(about.question)}`)
    else if (about.phase === 'policy_published') progress.show(shown)
    else if (about.phase === 'train_step') {
      const right = about.metrics.get('reward_extra_info/accuracy') ?? 0
      const reward = about.metrics.get('critic/rewards/mean')
      progress.keep(
        `  policy ${bold(`v${about.policy_version}`)}  ${blue(bar(right, BAR_CELLS))}  right ${decimal(right * 100, 0).padStart(3)} %  mean reward ${decimal(reward, 2)}`,
      )
    }
  }
  const position = await out.finish()
  return { images: images.size, events, position: position ?? '', source }
}
