/** POST /v1/curriculum/next: which items to roll out next. */
import { Next, NextRequest } from '#schemas/http-curriculum.ts'
import type { FrameAt } from '#services/analytics/frames.ts'
import type { ItemRow } from '#services/analytics/frame-rows.ts'
import { itemsAfterCut } from '#services/analytics/rows-at-cut.ts'
import { itemsById } from '#services/analytics/store-rows.ts'
import {
  ADARFT,
  type Candidate,
  type Drawn,
  type Strategy,
  drawNext,
  targetDifficulty,
} from '#services/curriculum/next.ts'
import { type Fraction, parseShare } from '#services/curriculum/fraction.ts'
import { type Standing, newestStandings } from '#services/curriculum/standings.ts'
import { ANY_NUMBER } from '#services/number-condition.ts'
import { frameOfCall, severalVersions } from '#services/query/frame-call.ts'
import { checkedBody } from '#services/query/json-body.ts'
import { type LakeState, lakeState } from '#services/query/lake-state.ts'
import { type Reading, jsonAnswer } from '#services/query/reading.ts'
import { READ_PARAMETERS, route } from '#services/query/route.ts'
import { standingsAt } from '#services/query/standings-call.ts'

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

/** The frame of the snapshot, from the lake. */
function lakeFrame(call: Reading, { run, lineage }: Asked, { id }: LakeState): Promise<FrameAt> {
  const query = { ...call.query, lineage, snapshot: id, policy_version: ANY_NUMBER, train_step: ANY_NUMBER }
  const words = { dataset: [], family: [], split: [], item: [], status: [], include: [] }
  return frameOfCall({ deps: call.deps, request: call.request, query: { ...query, ...words } }, [run])
}

/** What is known of items that were drawn and never rolled out, as of the snapshot. */
async function wordsOf(
  { deps }: Reading,
  drawn: readonly Drawn[],
  { cut }: LakeState,
): Promise<ReadonlyMap<string, ItemRow>> {
  const ids = drawn.flatMap(({ item_id: id, tally }) => (tally === undefined ? [id] : []))
  const known = await itemsById(deps.store.db, ids)
  const later = known.length === 0 ? new Set<string>() : await itemsAfterCut(deps.store.db, cut)
  return new Map(known.flatMap((item) => (later.has(item.item_id) ? [] : [[item.item_id, item]])))
}

function bounds({ strategy, pass_lo: low, pass_hi: high }: Asked): { readonly low: Fraction; readonly high: Fraction } {
  const [lowest, highest] = BOUNDS[strategy] ?? ['0/1', '1/1']
  return {
    low: parseShare(String(low ?? lowest), 'pass_lo'),
    high: parseShare(String(high ?? highest), 'pass_hi'),
  }
}

async function answerOf(call: Reading, asked: Asked, state: LakeState): Promise<unknown> {
  const { run, strategy, n, seed = 0, lineage = false, reward_version: rewardVersion } = asked
  const standings = await standingsAt(call.deps.store, { run, lineage, rewardVersion }, state, () =>
    lakeFrame(call, asked, state),
  )
  const known = newestStandings(standings, asked)
  const ids = asked.items === undefined ? known.keys() : new Set(asked.items)
  const pool = Array.from(ids, (id): Candidate<Standing> => ({ item_id: id, tally: known.get(id) }))
  // Every train step moves the target, whichever items and versions are drawn from.
  const target = strategy === 'adarft' ? targetDifficulty(standings.shares, { ...ADARFT, ...asked.adarft }) : 0
  const minN = asked.min_n ?? MIN_N[strategy] ?? 1
  const found = drawNext(pool, { strategy, n, seed, minN, target, ...bounds(asked) })
  const words = await wordsOf(call, found.drawn, state)
  return {
    run,
    snapshot: state.id,
    strategy,
    seed,
    n_candidates: found.n_candidates,
    n_items: pool.length,
    target_difficulty: strategy === 'adarft' ? target : null,
    rows: found.drawn.map(({ item_id: itemId, tally, score, why }) => ({
      item_id: itemId,
      dataset: tally?.item.dataset ?? words.get(itemId)?.dataset ?? null,
      family: tally?.item.family ?? words.get(itemId)?.family ?? null,
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
    if (asked.reward_version === '*') throw severalVersions()
    const state = await lakeState(call, asked.snapshot)
    return jsonAnswer(call.deps, await answerOf(call, asked, state), state.cut)
  },
})
