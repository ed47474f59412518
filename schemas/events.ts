/** Every event type, as one list. A reader who wants to know what can happen starts here. */
import { type DataOf, type EventDefinition } from './events/define.ts'
import { ConsumerAcked, ConsumerLeased } from './events/consumer.ts'
import { ImageRegistered, ImageStored, ItemRegistered, QuarantineDropped, QuarantineRetried } from './events/item.ts'
import { MetricLogged, PolicyPublished, RunFinished, RunStarted } from './events/run.ts'
import { StepRecorded } from './events/step.ts'
import {
  TrajectoryAnnotated,
  TrajectoryFinished,
  TrajectoryScored,
  TrajectoryStarted,
  TrajectoryTrained,
} from './events/trajectory.ts'

const definitions = {
  'run.started': RunStarted,
  'run.finished': RunFinished,
  'policy.published': PolicyPublished,
  'item.registered': ItemRegistered,
  'image.registered': ImageRegistered,
  'trajectory.started': TrajectoryStarted,
  'step.recorded': StepRecorded,
  'trajectory.finished': TrajectoryFinished,
  'trajectory.scored': TrajectoryScored,
  'trajectory.trained': TrajectoryTrained,
  'trajectory.annotated': TrajectoryAnnotated,
  'metric.logged': MetricLogged,
  'image.stored': ImageStored,
  'quarantine.dropped': QuarantineDropped,
  'quarantine.retried': QuarantineRetried,
  'consumer.leased': ConsumerLeased,
  'consumer.acked': ConsumerAcked,
} as const

/** The name of an event type. */
export type EventType = keyof typeof definitions

/** The data of an event type, as producers send it. */
export type EventData<Type extends EventType> = DataOf<(typeof definitions)[Type]>

/** All event types, by name. */
export const EVENTS: { readonly [Type in EventType]: EventDefinition } = definitions

/** The names of all event types, in the order of the definitions. */
export const EVENT_TYPES = Object.keys(definitions) as EventType[]

/** Whether a name is that of a known event type. */
export function isEventType(name: string): name is EventType {
  return Object.hasOwn(definitions, name)
}
