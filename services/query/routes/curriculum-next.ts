/** POST /v1/curriculum/next: which items to roll out next. */
import { Next, NextRequest } from '#schemas/http-curriculum.ts'
import type { FrameAt } from '#services/analytics/frames.ts'
import { ADARFT, type Candidate, type Strategy, drawNext, targetDifficulty } from '#services/curriculum/next.ts'
import { type Fraction, parseShare } from '#services/curriculum/fraction.ts'
import { sharesByStep } from '#services/curriculum/progress.ts'
import { newestTallies, tallies } from '#services/curriculum/tally.ts'
import { formatOffsets } from '#services/position.ts'
import { type FrameCall, frameOfCall, selectionOf } from '#services/query/frame-call.ts'
import { checkedBody } from '#services/query/checked-body.ts'
import { type LakeState, lakeState } from '#services/query/lake-state.ts'
import { type Reading, jsonAnswer } from '#services/query/reading.ts'
import { READ_PARAMETERS, route } from '#services/query/route.ts'

const BODY_BYTES_MAX = 64 * 1024 * 1024

interface Asked {
  readonly run: string
  readonly n: number
  readonly strategy: Strategy
  readonly seed?: number
  readonly snapshot?: number
  readonly lineage?: boolean
  readonly policy_version?: number
  readonly reward_version?: string
  readonly min_n?: number
  readonly pass_lo?: number | string
  readonly pass_hi?: number | string
  readonly dataset?: readonly string[]
  readonly family?: readonly string[]
  readonly split?: readonly string[]
  readonly items?: readonly string[]
  readonly adarft?: Partial<typeof ADARFT>
}

const readBody = checkedBody<Asked>(NextRequest, BODY_BYTES_MAX)

/** The bounds of strategies that have them. */
const BOUNDS: { readonly [Name in Strategy]?: readonly [string, string] } = {
  tail_patch: ['1/8', '3/8'],
  balanced: ['1/4', '3/4'],
}
const MIN_N: { readonly [Name in Strategy]?: number } = { tail_patch: 8 }

const none = { any: [], ne: [], gte: undefined, lte: undefined, gt: undefined, lt: undefined }

function frameCall(call: Reading, asked: Asked, snapshot: number | undefined) {
  return {
    deps: call.deps,
    request: call.request,
    query: {
      after: call.query.after,
      wait: call.query.wait,
      lineage: asked.lineage,
      snapshot,
      policy_version: asked.policy_version === undefined ? none : { ...none, any: [asked.policy_version] },
      train_step: none,
      dataset: asked.dataset ?? [],
      family: asked.family ?? [],
      split: asked.split ?? [],
      item: [],
      status: [],
      include: [],
      reward_version: asked.reward_version,
    },
  } satisfies FrameCall & { readonly query: { readonly reward_version: string | undefined } }
}

/**
 * The frame as of the snapshot. What the store holds is that, too, where nothing came since the snapshot was taken, and
 * it is at hand: then the lake is not read.
 */
async function frameAtSnapshot(call: Reading, asked: Asked, { id, cut }: LakeState): Promise<FrameAt> {
  if (formatOffsets(call.deps.project.offsets) === formatOffsets(cut)) {
    const live = await frameOfCall(frameCall(call, asked, undefined), [asked.run])
    if (formatOffsets(live.offsets) === formatOffsets(cut)) return live
  }
  return frameOfCall(frameCall(call, asked, id), [asked.run])
}

function candidates(at: FrameAt, call: ReturnType<typeof frameCall>, pool: readonly string[] | undefined): Candidate[] {
  const { ids } = at.frame.items
  const known = newestTallies(tallies(selectionOf(at, call.query)))
  if (pool === undefined) return known.map((tally) => ({ item_id: ids.text(tally.item) ?? '', tally }))
  const byItem = new Map(known.map((tally) => [tally.item, tally]))
  return [...new Set(pool)].map((itemId) => ({ item_id: itemId, tally: byItem.get(ids.codeOf(itemId) ?? -1) }))
}

function bounds({ strategy, pass_lo: low, pass_hi: high }: Asked): { readonly low: Fraction; readonly high: Fraction } {
  const [lowest, highest] = BOUNDS[strategy] ?? ['0/1', '1/1']
  return {
    low: parseShare(String(low ?? lowest), 'pass_lo'),
    high: parseShare(String(high ?? highest), 'pass_hi'),
  }
}

function answerOf(at: FrameAt, call: ReturnType<typeof frameCall>, asked: Asked, snapshotId: number): unknown {
  const { strategy, n, seed = 0 } = asked
  const selection = selectionOf(at, call.query)
  // Every train step moves the target, whichever items and versions are drawn from.
  const all = { ...call.query, policy_version: none, dataset: [], family: [], split: [] }
  const target =
    strategy === 'adarft' ? targetDifficulty(sharesByStep(selectionOf(at, all)), { ...ADARFT, ...asked.adarft }) : 0
  const pool = candidates(at, call, asked.items)
  const found = drawNext(pool, {
    strategy,
    n,
    seed,
    minN: asked.min_n ?? MIN_N[strategy] ?? 1,
    target,
    ...bounds(asked),
  })
  const { items } = selection.frame
  const code = (itemId: string): number => items.ids.codeOf(itemId) ?? -1
  return {
    run: asked.run,
    snapshot: snapshotId,
    strategy,
    seed,
    n_candidates: found.n_candidates,
    n_items: pool.length,
    target_difficulty: strategy === 'adarft' ? target : null,
    rows: found.drawn.map(({ item_id: itemId, tally, score, why }) => ({
      item_id: itemId,
      dataset: items.dataset.get(code(itemId)),
      family: items.family.get(code(itemId)),
      policy_version: tally?.policy_version ?? null,
      n_rollouts: tally?.n ?? 0,
      n_pass: tally?.passed ?? 0,
      pass_rate: tally === undefined ? null : tally.passed / tally.n,
      score,
      why,
    })),
  }
}

export const NEXT_ROUTE = route({
  method: 'POST',
  path: '/v1/curriculum/next',
  tag: 'Curriculum',
  summary: 'Draw the items to roll out next',
  detail: `Equal bodies with an equal \`snapshot\` have equal answers; the answer names the snapshot that it used. An item is drawn once at most. Of each item the rollouts of its newest policy version count, unless \`policy_version\` names one.

- \`tail_patch\`: items with a pass rate from 1/8 to 3/8, both in it, of at least 8 rollouts; each as likely.
- \`frontier\`: nearest to a pass rate of one half first.
- \`uniform\`: each item as likely.
- \`weighted\`: by lot, with weight p(1-p) where p = (right + 1) / (rollouts + 2), so that nothing is ruled out.
- \`dapo\`: items of which some rollouts are right and some wrong (DAPO, arXiv 2503.14476: 0 < right < G); each as likely.
- \`adarft\`: nearest to a target difficulty (AdaRFT, arXiv 2504.05520). Difficulty is 100 (1 - pass rate); with each train step of the run the target moves by 50 tanh(2 (share of right rollouts - 0.5)), within 0 and 100.
- \`balanced\`: items of medium pass rate, within bounds on both sides of one half, 1/4 to 3/4 unless said (balanced online difficulty filtering, arXiv 2504.03380); each as likely.`,
  parameters: READ_PARAMETERS,
  requestTypes: { 'application/json': NextRequest },
  answers: [{ status: 200, description: 'The items.', schema: Next }],
  problems: ['invalid', 'not_found', 'snapshot_expired', 'too_large', 'unavailable', 'unsupported_media_type'],
  handle: async (call) => {
    const asked = await readBody(call.request)
    bounds(asked)
    const snapshot = await lakeState(call, asked.snapshot)
    const at = await frameAtSnapshot(call, asked, snapshot)
    const frame = frameCall(call, asked, snapshot.id)
    return jsonAnswer(call.deps, answerOf(at, frame, asked, snapshot.id), at.offsets)
  },
})
