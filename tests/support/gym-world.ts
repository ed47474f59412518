/** A small gym for tests of its faces: one kind of question, one tool that always says the same, events kept in memory. */
import type { Family, ItemKind } from '#services/gym/items/item.ts'
import { simulatedClock } from '#services/gym/loop/clock.ts'
import { openGym, type GymOptions } from '#services/gym/loop/episodes.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import { serveGym, type GymServer } from '#services/gym/faces/server.ts'
import { memoryRecorder } from '#services/gym/publish/recorder.ts'
import type { CallResult, Tools } from '#services/gym/tools/tools.ts'
import { silent } from '#services/logger.ts'

/** Items that show a number and ask for it: item n of any stream has the answer n + 10. */
export const shownNumber: ItemKind = {
  kind: 'chart/shown-number',
  family: 'chart' as Family,
  dataset: 'stepstore-tests',
  levels: [{ size: 20 }, { size: 10 }],
  make: ({ index, level }) => ({
    svg: `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"><text x="5" y="22" font-size="${20 - 10 * level}">${index + 10}</text></svg>`,
    question: 'Which number is shown?',
    key: { answer: [String(index + 10)], answer_type: 'numeric' },
    evidence: [],
    scene: {},
  }),
}

/** What the tool of these tests says. */
export const TOLD = 'a number of two digits'

/** Tools that answer every call that is JSON, after `delayMs`. */
export function sameTools(delayMs = 0): Tools {
  return {
    definitions: [],
    schemas: [{ type: 'function', function: { name: 'EasyOCR' } }],
    close: async () => {},
    call: async (written) => {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
      return result(written)
    },
  }
}

function result(written: unknown): CallResult {
  return {
    status: 'ok',
    error_codes: [],
    error_type: null,
    observation: TOLD,
    output_json: { text: TOLD },
    output_schema_ok: true,
    output_images: [],
    name: 'EasyOCR',
    tool: 'EasyOCR',
    family: 'Perception',
    subset: 'OCR',
    task: 'detect_and_recognize',
    call_shape: 2,
    arguments: typeof written === 'string' ? written : {},
    parse_ok: true,
    schema_ok: true,
    schema_errors: [],
    n_detections: null,
    attempt: 0,
    cache_hit: false,
    queued_ms: 0,
    latency_ms: 1,
    server: 'local',
  }
}

export interface GymWorld {
  readonly gym: Gym
  readonly recorder: ReturnType<typeof memoryRecorder>
  readonly server: GymServer
  /** The base of its URLs. */
  readonly url: string
  close(): Promise<void>
}

export interface GymWorldOptions extends Partial<Pick<GymOptions, 'episodes_max' | 'tools'>> {
  readonly key?: string
  readonly idleMs?: number
  readonly troubles?: () => readonly string[]
}

const DAY_MS = Date.UTC(2026, 0, 1)

/** A served gym. The same calls make the same events in each. */
export async function gymWorld({
  key,
  idleMs = 600_000,
  troubles = () => [],
  ...options
}: GymWorldOptions = {}): Promise<GymWorld> {
  const recorder = memoryRecorder()
  let ids = 0
  const gym = openGym({
    kinds: [shownNumber],
    tools: sameTools(),
    recorder,
    clock: simulatedClock(DAY_MS),
    run_id: 'tests',
    newId: () => `made-${(ids += 1)}`,
    logger: silent,
    idle_ms: idleMs,
    ...options,
  })
  const server = await serveGym({
    gym,
    kinds: [shownNumber],
    listen: { host: '127.0.0.1', port: 0 },
    key,
    idleMs,
    troubles,
    logger: silent,
    clock: () => performance.now(),
  })
  return {
    gym,
    recorder,
    server,
    url: `http://127.0.0.1:${server.port}`,
    close: async () => {
      await server.close()
      await gym.close()
    },
  }
}

export const callTurn =
  '<think>I look.</think><tool_call>{"tool": "EasyOCR", "task": "detect_and_recognize"}</tool_call>'
export const answerTurn = (answer: string): string => `<think>I know.</think><answer>${answer}</answer>`

/** POST of JSON; gives status and JSON. */
export async function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}
