/** What the routes of consumers take and answer in JSON. */
import Type from 'typebox'
import { Group } from './http.ts'

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ description, minimum: 0 })
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

/** The body that asks for groups. */
export const NextBody = Type.Object({
  filter: Type.Optional(
    Type.Unknown({
      description:
        'Which groups: run, item, dataset, family, split, actor_model, policy_version, train_step, reward_version and zero_variance as /v1/groups takes them, as a query string or as an object of values and lists of values. The first lease fixes it.',
    }),
  ),
  max: Type.Optional(count('The most groups, 1 to 100. Default 16.')),
  wait_s: Type.Optional(Type.Number({ description: 'How long to wait for the first one, 0 to 60. Default 10.' })),
  max_staleness: Type.Optional(
    count('Leaves out groups whose policy version is older than the newest by more than this.'),
  ),
  policy_version: Type.Optional(
    count('The newest policy version. Default: the newest that the run published or sampled with.'),
  ),
  max_age_s: Type.Optional(count('Leaves out groups whose last member finished longer ago.')),
})

export const NextAnswer = Type.Object({
  consumer: text('The consumer.'),
  lease: orNull(text('What to acknowledge; the same until then. null where there is nothing.')),
  groups: Type.Array(Group, { description: 'Completed groups, each given to this consumer once.' }),
  skipped: count('Groups that were left out for their age or staleness; they are not given later.'),
  dataset: Type.Optional(text('The groups as a grpo dataset, where they are of one run.')),
  position: text('The position that the answer includes.'),
})

export const AckBody = Type.Object({ lease: text('The lease as it was given.') })

export const AckAnswer = Type.Object({
  consumer: text('The consumer.'),
  lease: text('The lease.'),
  position: text('The position that includes the acknowledgement.'),
})

/** A consumer. */
export const ConsumerRow = Type.Object({
  consumer: text('The name.'),
  filter: text('What it takes.'),
  lease: orNull(text('The lease that is not acknowledged yet.')),
  leased_at: text('When its newest lease was given.'),
  n_leases: count('Leases in all.'),
  n_groups: count('Groups that it was given in all.'),
})
