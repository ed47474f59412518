/** InternVL's conversations: human and gpt in turn, calls in the text of the turn, `<image>` marks as many as images. */
import { BODY, imageMarks, noText, NO_ACTION, OTHER_ROLE, UNTRAINED_ACTION, UP_TO_LAST_ACTION } from './conversation.ts'
import type { TalkShape } from './shape.ts'

const TURN = 'STRUCT("from" VARCHAR, "value" VARCHAR)'

const CONVERSATIONS = `list_concat(
  CASE WHEN w.has_system THEN [{"from": 'system', "value": coalesce(w.system, '')}] ELSE [] END,
  list_transform(w.body, lambda m, i: {"from": CASE WHEN m.role = 'assistant' THEN 'gpt' ELSE 'human' END, "value": w.body_texts[i]}))`

export const internvl: TalkShape = {
  description:
    'InternVL: `conversations` of human and gpt in turn (a system turn may come first), up to the last action. There are no calls but those that stand in what the policy wrote.',
  parts: true,
  layers: [UP_TO_LAST_ACTION, { ...BODY, body_texts: 'w.texts[CASE WHEN w.has_system THEN 2 ELSE 1 END:w.n_used]' }],
  columns: {
    id: ['VARCHAR', 'w.trajectory_id'],
    // InternVL's own loader looks for these names below the root of its meta file.
    image: ['VARCHAR[]', 'w.used_images'],
    images: ['VARCHAR[]', 'w.used_images'],
    conversations: [`${TURN}[]`, CONVERSATIONS],
    tools: ['VARCHAR', 'w.tools'],
  },
  faults: [
    NO_ACTION,
    UNTRAINED_ACTION,
    OTHER_ROLE,
    noText('w.body'),
    ['tool_calls', 'len(list_filter(w.body_texts, lambda t: t IS NULL)) > 0'],
    [
      'turn_order',
      `len(w.body) % 2 = 1 OR len(list_filter(w.body, lambda m, i: (m.role = 'assistant') <> (i % 2 = 0))) > 0`,
    ],
    imageMarks('w.messages[1:w.n_used]', 'w.message_images'),
  ],
}
