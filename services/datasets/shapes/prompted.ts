/** What the shapes ask of rows that hold a prompt and a completion apart, over `w`. */
import { BAD_ARGUMENTS, imageMarks, noText, OTHER_ROLE } from './conversation.ts'
import type { Fault, Shape } from './shape.ts'

const ALL = 'list_concat(w.asked_messages, w.said_messages)'
const ofAll = ([reason, sql]: Fault): Fault => [reason, sql.replaceAll('w.messages', ALL)]

const FAULTS: Partial<Record<Shape, readonly Fault[]>> = {
  swift: [
    ofAll(OTHER_ROLE),
    ofAll(BAD_ARGUMENTS),
    noText(ALL),
    imageMarks(ALL, 'list_concat(w.asked_message_images, w.said_message_images)'),
  ],
  verl: [
    // A prompt in verl is roles and texts; calls in it would be lost.
    ['tool_calls', 'len(list_filter(w.asked_messages, lambda m: len(m.tool_calls) > 0)) > 0'],
    ['no_answer', 'coalesce(len(w.answer), 0) = 0'],
    ['several_answers', 'len(w.answer) > 1'],
    imageMarks('w.asked_messages', 'w.asked_message_images'),
  ],
}

/** Why a row with `asked_messages`, `said_messages` and `answer` cannot be written in a shape. */
export function messageListFaults(shape: Shape): readonly Fault[] {
  return FAULTS[shape] ?? []
}
