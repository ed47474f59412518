/** The shapes of a conversation. */
import { internvl } from './internvl.ts'
import { openai } from './openai.ts'
import { raw } from './raw.ts'
import type { Shape, TalkShape } from './shape.ts'
import { sharegpt } from './sharegpt.ts'
import { swift } from './swift.ts'
import { verl } from './verl.ts'

export const TALK_SHAPES: Readonly<Record<Shape, TalkShape>> = { openai, sharegpt, swift, verl, internvl, raw }
