/** Which rows a fact will ask for, so that they can be loaded before it is folded. */
import { consumerGroupKey, groupsOf } from './consumer.ts'
import type { Judged } from './fact.ts'
import { type KeyedName, rowKey } from './state.ts'

const text = (value: unknown) => String(value)

/** The (table, key) pairs that folding `judged` may read. */
export function keysOf(judged: Judged): readonly (readonly [KeyedName, string])[] {
  if (judged.readable === 'elsewhere') return []
  if (!judged.readable) return [['quarantine', judged.id]]
  const { data, type } = judged
  switch (type) {
    case 'run.started':
    case 'run.finished':
      return [['runs', text(data['run_id'])]]
    case 'policy.published':
      return [
        ['runs', text(data['run_id'])],
        ['policies', rowKey(text(data['run_id']), text(data['policy_version']))],
      ]
    case 'metric.logged':
      return [
        ['runs', text(data['run_id'])],
        [
          'metrics',
          rowKey(text(data['run_id']), text(data['train_step']), text(data['substep'] ?? 0), text(data['name'])),
        ],
      ]
    case 'item.registered':
      return [['items', text(data['item_id'])]]
    case 'image.registered':
    case 'image.stored':
      return [['images', text(data['image_id'])]]
    case 'quarantine.dropped':
    case 'quarantine.retried':
      return [['quarantine', text(data['quarantine_id'])]]
    case 'consumer.leased': {
      const consumer = text(data['consumer'])
      const groups = groupsOf(data).map((group) => ['consumer_groups', consumerGroupKey(consumer, group)] as const)
      return [['consumers', consumer], ...groups]
    }
    case 'consumer.acked':
      return [['consumers', text(data['consumer'])]]
    case 'trajectory.started':
    case 'step.recorded':
      return [['trajectories', text(data['trajectory_id'])]]
    case 'trajectory.finished':
      return [
        ['trajectories', text(data['trajectory_id'])],
        ['scores', rowKey(text(data['trajectory_id']), '')],
      ]
    case 'trajectory.scored':
      return [
        ['trajectories', text(data['trajectory_id'])],
        ['scores', rowKey(text(data['trajectory_id']), text(data['reward_version']))],
      ]
    case 'trajectory.trained':
      return [
        ['trajectories', text(data['trajectory_id'])],
        ['trainings', rowKey(text(data['trajectory_id']), text(data['train_step']), text(data['substep'] ?? 0))],
      ]
    case 'trajectory.annotated':
      return [
        ['trajectories', text(data['trajectory_id'])],
        ['annotations', rowKey(text(data['trajectory_id']), text(data['annotation_id']))],
      ]
  }
}
