/** A small gym for tests of the loop: one kind of item, a tool that tells its number, and what was recorded. */
import { createHash } from 'node:crypto'
import Type from 'typebox'
import type { ItemKind } from '#services/gym/items/item.ts'
import { simulatedClock } from '#services/gym/loop/clock.ts'
import { openGym, type GymOptions } from '#services/gym/loop/episodes.ts'
import type { GymEventType } from '#services/gym/loop/event.ts'
import type { EventData } from '#schemas/events.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import type { Expert } from '#services/gym/policies/policy.ts'
import { memoryRecorder, type RecordedImage } from '#services/gym/publish/recorder.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import { openTools } from '#services/gym/tools/open.ts'
import type { Tools } from '#services/gym/tools/tools.ts'

/** A number in a picture. */
export const numberKind: ItemKind = {
  kind: 'others/number',
  family: 'others',
  dataset: 'stepstore-number',
  levels: [{ digits: 1 }, { digits: 2 }],
  make: ({ seed, index, level, split }) => {
    const number = numberOf(seed, index, level)
    return {
      svg: `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><rect x="${number % 50}" y="4" width="${level + 4}" height="${split === 'test' ? 9 : 8}" fill="black"/></svg>`,
      question: 'Which number is meant?',
      key: { answer: [String(number)], answer_type: 'numeric' },
      evidence: [{ what: 'the mark', box: [0, 0, 64, 48], value: number }],
      scene: { number },
    }
  },
}

export const numberOf = (seed: number, index: number, level: number): number =>
  createHash('sha256').update(`${seed} ${index} ${level}`).digest().readUInt8(0) % 10 ** (level + 1)

/** A tool of one task with three arguments; it runs elsewhere, so that no thread is needed. */
export const teller: ToolDefinition = {
  name: 'teller',
  aliases: ['number_teller'],
  family: 'Perception',
  subset: 'OCR',
  description: 'Tells numbers.',
  tasks: {
    tell: {
      description: 'the number of the picture',
      arguments: Type.Object(
        {
          region: Type.Optional(Type.Array(Type.Number({ minimum: 0 }), { minItems: 4, maxItems: 4 })),
          confidence: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
        },
        { additionalProperties: false },
      ),
      output: Type.Object({ number: Type.Integer(), said: Type.String() }, { additionalProperties: false }),
    },
    count: {
      description: 'how many numbers there are',
      arguments: Type.Object(
        { region: Type.Optional(Type.Array(Type.Number({ minimum: 0 }), { minItems: 4, maxItems: 4 })) },
        { additionalProperties: false },
      ),
      output: Type.Object({ number: Type.Integer(), said: Type.String() }, { additionalProperties: false }),
    },
  },
  default_task: 'tell',
  timeout_ms: 1000,
  concurrency: 8,
  retries: 0,
  runs: 'remote',
}

/** Another tool, of no use and for another family. */
export const idler: ToolDefinition = {
  ...teller,
  name: 'idler',
  aliases: [],
  family: 'Diagram Formalization',
  subset: 'CDL',
  tasks: {
    idle: {
      description: 'nothing',
      arguments: Type.Object({}, { additionalProperties: false }),
      output: Type.Object({}, { additionalProperties: true }),
    },
  },
  default_task: 'idle',
  runs: 'local',
}

/** Tools whose answer is found by the picture, never by the item. */
export function numberTools(numbers: ReadonlyMap<string, number>): Tools {
  return openTools({
    definitions: [teller, idler],
    threads: 1,
    remotes: [
      {
        tool: 'teller',
        server: 'test',
        call: async ({ task, context }) => {
          const [picture = ''] = context.images.keys()
          const number = task === 'count' ? 1 : (numbers.get(picture) ?? -1)
          return { text: `number: ${number}`, output: { number, said: String(number) } }
        },
      },
      { tool: 'idler', server: 'test', call: async () => ({ text: 'idle', output: {} }) },
    ],
  })
}

/** Asks the teller once, then says what it said. */
export const numberExpert: Expert = (_, __, heard) => {
  const said = /number: (-?\d+)/.exec(heard.findLast(({ ok }) => ok)?.text ?? '')?.[1]
  if (said !== undefined) return { think: 'The tool says it.', answer: said }
  if (heard.length >= 2) return { think: 'The tool does not help.', answer: '0' }
  return { think: 'I ask the tool.', tool: 'teller', task: 'tell', arguments: { region: [4, 4, 60, 40] } }
}

export type LoopWorld = {
  readonly gym: Gym
  readonly tools: Tools
  /** The data of all events of a type, until now. */
  events<Type extends GymEventType>(type: Type): EventData<Type>[]
  images(): readonly RecordedImage[]
  /** The number of an item of the gym. */
  right(itemId: string): string
}

export async function loopWorld(options: Partial<GymOptions> = {}): Promise<LoopWorld> {
  const numbers = new Map<string, number>()
  const kind: ItemKind = {
    ...numberKind,
    make: (request) => {
      const scene = numberKind.make(request)
      const { renderedPng } = rendering
      numbers.set(renderedPng(scene.svg).sha256, Number(scene.scene['number']))
      return scene
    },
  }
  const rendering = await import('#services/gym/picture/render.ts')
  const tools = numberTools(numbers)
  const recorder = memoryRecorder()
  const kept: ReturnType<typeof recorder.take>[] = []
  let ids = 0
  const gym = openGym({
    kinds: [kind],
    tools,
    recorder,
    clock: simulatedClock(Date.UTC(2026, 0, 5)),
    run_id: 'test',
    newId: () => `id-${++ids}`,
    logger: () => {},
    ...options,
  })
  const taken = () => {
    kept.push(recorder.take())
    return kept
  }
  return {
    gym,
    tools,
    events: <Type extends GymEventType>(type: Type) =>
      taken().flatMap(({ events }) =>
        events.flatMap((event) => (event.type === type ? [event.data as EventData<Type>] : [])),
      ),
    images: () => taken().flatMap(({ images }) => images),
    right: (itemId) => {
      const [, seed, index, level] = /\/(\d+)\/(\d+)-l(\d+)/.exec(itemId) ?? []
      return String(numberOf(Number(seed), Number(index), Number(level)))
    },
  }
}
