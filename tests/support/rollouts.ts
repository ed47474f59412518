/** Made-up rollouts for fault tests: the bytes that workers send, and what must be found of them afterwards. */
import { createHash } from 'node:crypto'
import type { Random } from '#services/gym/random.ts'

/** One event as it is sent. */
export interface SentEvent {
  readonly trajectoryId: string
  readonly bytes: Buffer
}

/** A rollout: its events in order, and what it says. */
export interface Rollout {
  readonly trajectoryId: string
  readonly runId: string
  readonly reward: number
  /** What the policy wrote at each step. */
  readonly texts: readonly string[]
  readonly toolCalls: number
  readonly imageIds: readonly string[]
  readonly events: readonly SentEvent[]
}

export interface RolloutOptions {
  readonly runId: string
  readonly index: number
  readonly imageIds?: readonly string[]
  readonly stepsMax?: number
  /** How long the text of a step is. */
  readonly textChars?: number
}

const GROUP_SIZE = 4
const BEGAN_MS = Date.UTC(2026, 0, 1)

/** Text that does not repeat, so that it costs what real text costs. */
function words(random: Random, chars: number): string {
  let text = ''
  while (text.length < chars) text += `${random.int(0, 2 ** 31).toString(36)} `
  return text.slice(0, chars)
}

/** A rollout with its events. */
export function rollout(random: Random, options: RolloutOptions): Rollout {
  const { runId, index, imageIds = [], stepsMax = 5, textChars = 120 } = options
  const trajectoryId = `${runId}/${String(index).padStart(6, '0')}`
  const group = Math.floor(index / GROUP_SIZE)
  const itemId = `item-${group % 50}`
  const reward = random.int(0, 3)
  const events: SentEvent[] = []
  const say = (type: string, data: Record<string, unknown>): void => {
    const at = new Date(BEGAN_MS + index * 60_000 + events.length * 1000).toISOString()
    const envelope = {
      specversion: '1.0',
      id: `${trajectoryId}#${events.length}`,
      source: '/tests/faults',
      type,
      time: at,
      data: { trajectory_id: trajectoryId, run_id: runId, ...data },
    }
    events.push({ trajectoryId, bytes: Buffer.from(JSON.stringify(envelope)) })
  }
  say('trajectory.started', {
    item_id: itemId,
    policy_version: group % 3,
    group_id: `${runId}/${group}`,
    group_size: GROUP_SIZE,
    rollout_index: index % GROUP_SIZE,
    train_step: Math.floor(group / 8),
    prompt: [{ role: 'user', content: `Question of ${itemId}?` }],
  })
  const texts = Array.from({ length: 1 + random.int(0, stepsMax) }, () => words(random, textChars))
  let toolCalls = 0
  for (const [step, text] of texts.entries()) {
    const isLast = step === texts.length - 1
    if (!isLast) toolCalls += 1
    say('step.recorded', {
      step_index: step,
      action_kind: isLast ? 'answer' : 'tool_call',
      raw_output: text,
      prompt_tokens: 10 + step,
      completion_tokens: 20,
      ...(isLast
        ? {}
        : {
            tool_calls: [{ id: `call-${step}`, name: 'ocr', arguments: { x: step } }],
            observation: [
              { role: 'tool', content: `seen ${text.slice(0, 20)}`, tool_call_id: `call-${step}`, images: imageIds },
            ],
          }),
    })
  }
  say('trajectory.finished', {
    status: 'completed',
    end_reason: 'answer',
    n_steps: texts.length,
    reward,
    parts: { correct: reward > 0 ? 1 : 0, format: 1 },
  })
  return { trajectoryId, runId, reward, texts, toolCalls, imageIds: texts.length > 1 ? imageIds : [], events }
}

/** The bytes of something that passes for a picture, and their hash. */
export function picture(random: Random): { readonly imageId: string; readonly bytes: Buffer } {
  const bytes = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    Buffer.from(words(random, 200 + random.int(0, 2000))),
  ])
  return { imageId: createHash('sha256').update(bytes).digest('hex'), bytes }
}

/** `run.started` of a run. */
export function runStarted(runId: string): SentEvent {
  const envelope = {
    specversion: '1.0',
    id: `${runId} began`,
    source: '/tests/faults',
    type: 'run.started',
    time: new Date(BEGAN_MS).toISOString(),
    data: { run_id: runId, kind: 'rl', correct_threshold: 1 },
  }
  return { trajectoryId: '', bytes: Buffer.from(JSON.stringify(envelope)) }
}
