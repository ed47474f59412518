/** Schema parts that the tools' definitions share. */
import Type from 'typebox'

/** Which picture is meant, for tools that see one at a time. */
export const imageIndex = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 63, description: 'Which picture, from 0. Default: the first.' }),
)

/** [left, top, right, bottom] in pixels. */
export const box = (description: string) =>
  Type.Array(Type.Number({ minimum: 0, maximum: 1e5 }), { minItems: 4, maxItems: 4, description })

export const share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description })

/** An object that refuses names that it does not know. */
export const closed = (fields: Type.TProperties) => Type.Object(fields, { additionalProperties: false })
