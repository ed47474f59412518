/** What an event type is: its fields, its identity and how the log finds its partition. */
import Type, { type Static, type TObject } from 'typebox'

/** The fields of an event's data, as a plain object. */
export type Data = Record<string, unknown>

/** An event type, defined once. Everything else about it (types, checks, schema files, pages) is derived. */
export interface EventDefinition<Schema extends TObject = TObject> {
  /** The CloudEvents type, such as `step.recorded`. */
  readonly type: string
  /** The version of this shape. A released version never changes: a new shape is a new version. */
  readonly version: number
  /** One sentence: what happened. */
  readonly meaning: string
  /** The shape of `data`. Unknown fields are allowed and kept. */
  readonly data: Schema
  /** The fields that make up the natural key. An event counts once by (type, these values). */
  readonly key: readonly string[]
  /** The field whose value is the partition key when the event does not name another. */
  readonly partitionBy: string
  /** Values for fields that were left out, which count as sent when contents are compared. */
  readonly defaults: Readonly<Data>
  /** Fields that are not compared when the same key comes twice. */
  readonly uncompared: readonly string[]
  /** Whether a later event with the same key may add fields that were absent. */
  readonly mayAdd: boolean
  /** `internal` types are written by Stepstore itself and refused from producers. */
  readonly internal: boolean
  /** At least one example of `data`, parsed by a test. */
  readonly examples: readonly Data[]
}

type Options<Schema extends TObject> = Pick<
  EventDefinition<Schema>,
  'type' | 'meaning' | 'data' | 'key' | 'partitionBy' | 'examples'
> &
  Partial<Pick<EventDefinition<Schema>, 'version' | 'defaults' | 'uncompared' | 'mayAdd' | 'internal'>>

/** Defines an event type. Version 1, nothing defaulted and everything compared unless said otherwise. */
export function defineEvent<Schema extends TObject>(options: Options<Schema>): EventDefinition<Schema> {
  return {
    version: 1,
    defaults: {},
    uncompared: [],
    mayAdd: false,
    internal: false,
    ...options,
    data: Type.Object(options.data.properties, { description: options.meaning }) as unknown as Schema,
  }
}

/** The type of `data` of a definition. */
export type DataOf<Definition> = Definition extends EventDefinition<infer Schema> ? Static<Schema> : never
