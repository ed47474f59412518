/** What /v1/curriculum takes and answers. */
import Type, { type TSchema } from 'typebox'
import { integer, list, object, oneOf, real, text } from './fields.ts'

const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const share = (description: string) => real(description)

const itemFields = {
  item_id: text('The item.'),
  dataset: orNull(text('Its data set; null where the item is not registered.')),
  family: orNull(text('Its task family.')),
  policy_version: orNull(integer('The policy version; null for rollouts that name none.')),
}
const counts = {
  n_rollouts: integer('Finished rollouts with a score.'),
  n_pass: integer('Those that are right.'),
}

export const PassRateRow = object(
  {
    ...itemFields,
    ...counts,
    pass_rate: share('Their share.'),
    pass_rate_low: share("The lower bound of Wilson's interval at 95 %."),
    pass_rate_high: share('The upper bound.'),
    n_format_ok: integer('Rollouts whose every turn kept to the grammar.'),
    n_nonfinite: integer(
      'Rollouts whose reward is NaN or infinite; they count as rollouts and are left out of the means.',
    ),
    reward_mean: orNull(real('The mean reward.')),
    reward_std: orNull(real('The standard deviation, ddof 1; null for fewer than two.')),
    first_train_step: orNull(integer('The first train step that it was rolled out at.')),
    last_train_step: orNull(integer('The last one.')),
    trajectories_url: orNull(text('The rollouts; null where they are of several runs.')),
  },
  'How one policy version did on an item.',
)

const page = (row: TSchema, more: Record<string, TSchema>, description: string) =>
  object(
    { rows: Type.Array(row), next: orNull(text('The cursor of the next page; null on the last one.')), ...more },
    description,
  )

export const Slice = page(
  PassRateRow,
  {
    n_items: integer('Items in the slice.'),
    n_items_known: integer('Items with at least one rollout that counts.'),
    n_items_left_out: integer('Of those, items with fewer than min_n rollouts, in the slice or not.'),
  },
  'A slice of items by their pass rates.',
)

const bucket = oneOf(
  ['never', 'low', 'tail', 'middle', 'high', 'always'],
  'never: none right. low: below 1/8. tail: 1/8 to 3/8, both in it. middle: above 3/8 and below 5/8. high: 5/8 and more. always: all right.',
)

export const MigrationRow = object(
  { from_bucket: bucket, to_bucket: bucket, n_items: integer('Items that were in the one and are in the other.') },
  'A cell of the matrix.',
)

const changed = (meaning: string) =>
  object(
    {
      n_items: integer('How many.'),
      items: list(text('An item.'), 'Their ids in order; the first 1,000.'),
    },
    meaning,
  )

export const Migration = page(
  MigrationRow,
  {
    from: integer('The policy version before.'),
    to: integer('The policy version after.'),
    n_items: integer('Items with at least min_n rollouts at both.'),
    n_items_left_out: integer('Items with rollouts at either, and fewer than min_n at one of them.'),
    mean_change: orNull(real('The mean over items of the pass rate after less that before.')),
    mean_loss: orNull(real('The mean of what items lost, those that gained counting as 0.')),
    forgotten: changed('Some were right before, and none is after.'),
    newly_solved: changed('None was right before, and some are after.'),
    never: changed('None is right at either.'),
    always: changed('All are right at both.'),
  },
  'How items moved between two policy versions.',
)

const words = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description, maxItems: 200 }))
const bound = (description: string) =>
  Type.Optional(
    Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.String({ pattern: String.raw`^\d{1,15}/\d{1,15}$` })], {
      description,
    }),
  )

export const NextRequest = Type.Object(
  {
    run: Type.String({ minLength: 1, description: 'The run whose rollouts say how hard items are.' }),
    n: Type.Integer({ minimum: 1, maximum: 100_000, description: 'How many items.' }),
    strategy: Type.Enum(['tail_patch', 'frontier', 'uniform', 'weighted', 'dapo', 'adarft', 'balanced'], {
      description: 'How they are drawn.',
    }),
    seed: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'The seed; 0 unless said.' }),
    ),
    snapshot: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'The snapshot to draw from; the newest unless said. The answer names it.',
      }),
    ),
    lineage: Type.Optional(Type.Boolean({ description: 'With the runs that it resumes.' })),
    policy_version: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'The policy version whose rollouts count; unless said, the newest one of each item.',
      }),
    ),
    reward_version: Type.Optional(
      Type.String({ minLength: 1, description: 'The reward version to read with, instead of that of the run.' }),
    ),
    min_n: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Items with fewer rollouts are not drawn, but by uniform and weighted; 8 for tail_patch, else 1.',
      }),
    ),
    pass_lo: bound(
      'The lowest pass rate of tail_patch (1/8) and balanced (1/4), in it: a number, or a text such as "1/8".',
    ),
    pass_hi: bound('The highest (3/8 and 3/4), in it.'),
    dataset: words('Only items of these data sets.'),
    family: words('Only items of these families.'),
    split: words('Only items of these splits.'),
    items: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: 200_000,
        description:
          'The pool to draw from, instead of the items that the run rolled out: ids, also of items never rolled out.',
      }),
    ),
    adarft: Type.Optional(
      Type.Object(
        {
          step: Type.Optional(Type.Number({ description: 'The step size eta; 50.' })),
          sensitivity: Type.Optional(Type.Number({ description: 'The sensitivity alpha; 2.' })),
          target_reward: Type.Optional(Type.Number({ description: 'The target share of right rollouts, beta; 0.5.' })),
          initial: Type.Optional(
            Type.Number({
              minimum: 0,
              maximum: 100,
              description: 'The target difficulty before the first train step; 0.',
            }),
          ),
        },
        { additionalProperties: false, description: 'Settings of adarft.' },
      ),
    ),
  },
  { description: 'What to draw.', additionalProperties: false },
)

const NextRow = object(
  {
    ...itemFields,
    ...counts,
    pass_rate: orNull(share('Their share; null for an item that was never rolled out.')),
    score: real('What it was ranked by: greater comes first, equal ones by the seed.'),
    why: text('Why it was drawn.'),
  },
  'An item that was drawn.',
)

export const Next = object(
  {
    run: text('The run.'),
    snapshot: integer('The snapshot that was used. Send it with the same body for the same answer.'),
    strategy: text('The strategy.'),
    seed: integer('The seed.'),
    n_candidates: integer('Items that the strategy could draw from; fewer than n were drawn where there were fewer.'),
    n_items: integer('Items in the pool.'),
    target_difficulty: orNull(real('Of adarft: the difficulty aimed at, from 0 (always right) to 100.')),
    rows: list(NextRow, 'The items, in the order in which they were drawn.'),
  },
  'Items to roll out next.',
)
