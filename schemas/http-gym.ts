/** What the gym takes and answers, over all of its faces. */
import Type from 'typebox'
import { flag, integer, json, list, object, real, sha256, text } from './fields.ts'
import { Message } from './messages.ts'

/** How many episodes are begun, or stepped, by one request. */
export const GYM_BATCH_MAX = 1_000

const orNull = <Schema extends Type.TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])

export const GymEpisodeOptions = Type.Object(
  {
    item_id: Type.Optional(
      text('The item itself, such as chart/yes-no/test/7/0003-l1. Without it, the next fields choose one.'),
    ),
    kind: Type.Optional(text('A kind of question, such as chart/yes-no.')),
    family: Type.Optional(
      text('A family of tasks: chart, geometry, geospatial, scientific, document, spatial, others.'),
    ),
    seed: Type.Optional(integer('The seed of the stream of items. Default 0.')),
    split: Type.Optional(text('train (the default) or test.')),
    index: Type.Optional(integer('Which item of the stream, from 0. Default 0.')),
    level: Type.Optional(integer('How hard, 0 is the easiest. Default: the levels in turn.')),
    style: Type.Optional(text('ordinary (the default), or unseen: fonts and styles that no tool was tuned on.')),
    run_id: Type.Optional(text('The run that the rollout counts for. Default: that of the gym.')),
    policy_version: Type.Optional(integer('The version of the policy. Default 0.')),
    group_id: Type.Optional(text('The group of rollouts of one item.')),
    group_size: Type.Optional(integer('How many rollouts the group has.')),
    rollout_index: Type.Optional(integer('The place in the group, from 0.')),
    train_step: Type.Optional(real('The step of training.')),
    trajectory_id: Type.Optional(text('The id of the rollout, and of the episode. Default: one is made.')),
    actor_model: Type.Optional(text('The model that acts, for the record.')),
    sampling: Type.Optional(json('Sampling settings, for the record: an object.')),
    derived_from_trajectory_id: Type.Optional(text('The trajectory that is played again.')),
    max_turns: Type.Optional(integer('How many turns, 1 to 32. Default 3.')),
    turn_limit: Type.Optional(
      text(
        'What max_turns counts: turns (all of them, the default) or tool_turns (those before a last one that may only answer).',
      ),
    ),
    format: Type.Optional(text('How a turn is held to the grammar: strict (the default) or lenient.')),
    needs_tool_call: Type.Optional(flag('Whether an answer without a tool call is malformed. Default false.')),
    tools: Type.Optional(
      text(
        "Which tools the prompt names: those for the item's family (family, the default), or all. All can be called.",
      ),
    ),
    observation_chars_max: Type.Optional(integer('The most letters of an observation, 64 to 65536. Default 8192.')),
    observation_cut: Type.Optional(text('Which side of a longer one is cut off: end (the default) or start.')),
    reward_version: Type.Optional(text('The reward that is paid. Default vista-1.')),
  },
  { description: 'What an episode is about. Unknown fields are refused.', additionalProperties: false },
)

/** The most tokens of a prompt and of a turn whose ids can be recorded: all of it has to fit into one event. */
export const PROMPT_TOKENS_MAX = 131_072
export const COMPLETION_TOKENS_MAX = 32_768
/** The largest count of tokens, and the longest time that a turn can take (a day). */
export const TOKEN_COUNT_MAX = 1e9
export const GEN_MS_MAX = 86_400_000

const tokens = (description: string, maxItems: number) =>
  Type.Array(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), { description, maxItems })
const tokenCount = (description: string) => Type.Integer({ description, minimum: 0, maximum: TOKEN_COUNT_MAX })

export const GymTurn = Type.Object(
  {
    text: text(
      'The turn as the model wrote it: <think>…</think>, then <tool_call>…</tool_call> or <answer>…</answer>.',
    ),
    finish_reason: Type.Optional(Type.String({ description: 'Why the model stopped.', maxLength: 100 })),
    prompt_tokens: Type.Optional(tokenCount('How many tokens the model was given.')),
    completion_tokens: Type.Optional(tokenCount('How many it wrote.')),
    prompt_token_ids: Type.Optional(tokens('Those that it was given.', PROMPT_TOKENS_MAX)),
    completion_token_ids: Type.Optional(tokens('Those that it wrote.', COMPLETION_TOKENS_MAX)),
    logprobs: Type.Optional(
      Type.Array(Type.Number(), {
        description: 'The log probability of each written token.',
        maxItems: COMPLETION_TOKENS_MAX,
      }),
    ),
    gen_ms: Type.Optional(
      Type.Number({ description: 'How long the model wrote, in milliseconds.', minimum: 0, maximum: GEN_MS_MAX }),
    ),
    injected: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }), {
        description: 'Error codes that the policy says it made on purpose.',
        maxItems: 20,
      }),
    ),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Not used.' })),
  },
  { description: 'A turn, with what is known of how it was written.', additionalProperties: false },
)
export type GymTurn = Type.Static<typeof GymTurn>

export const GymPicture = object(
  {
    image_id: sha256('The SHA-256 of its bytes.'),
    media_type: text('image/png.'),
    width: integer('In pixels.'),
    height: integer('In pixels.'),
    data: Type.Optional(text('The bytes in base64; left out where links are asked for.')),
    url: Type.Optional(text('Where its bytes are while the episode is open, under the address of this API.')),
  },
  'A picture.',
)
export type GymPicture = Type.Static<typeof GymPicture>

export const GymObservation = object(
  {
    text: text('The words: the question, what a tool said, or what was wrong with the turn.'),
    images: list(GymPicture, 'The pictures that came with it.'),
    messages: list(Message, 'The same as chat messages; pictures are named by image_id.'),
    turns_left: integer('How many turns are left.'),
    truncated: flag('Whether the text was cut.'),
    is_error: flag('Whether it tells of an error.'),
  },
  'What the policy is told.',
)

export const GymReset = object(
  {
    episode_id: text('The episode, and the trajectory.'),
    run_id: text('The run.'),
    item_id: text('The item.'),
    family: text('Its family of tasks.'),
    kind: text('Its kind of question.'),
    question: text('The words of the question.'),
    choices: list(Type.String(), 'What can be chosen; empty where the answer is free.'),
    observation: GymObservation,
  },
  'An episode that has begun.',
)

export const GymStep = object(
  {
    episode_id: text('The episode.'),
    step_index: integer('The place of the turn, from 0.'),
    action_kind: text('tool_call, answer or invalid.'),
    observation: GymObservation,
    reward: orNull(real('The reward of the episode when it has ended; null before.')),
    done: flag('Whether the episode has ended.'),
    truncated: flag('Whether it ended for a limit, not for an answer.'),
    valid: flag('Whether the action could be carried out.'),
    codes: list(Type.String(), 'What was wrong: violations of the grammar, and codes of calls.'),
    heard: orNull(
      object(
        {
          tool: text('The tool.'),
          task: text('Its task.'),
          text: text('What it said.'),
          ok: flag('Whether the call was carried out.'),
        },
        'What the tool said, for policies that read no chat; null where none was called.',
      ),
    ),
    env_step_reward: real('What the released environment would pay for this step; apart from the reward.'),
    score: orNull(json('The reward with its parts and reasons when the episode has ended.')),
    end_reason: orNull(text('Why it ended.')),
  },
  'What came of one turn.',
)

export const GymState = object(
  {
    episode_id: text('The episode.'),
    run_id: text('The run.'),
    item_id: text('The item.'),
    family: text('Its family of tasks.'),
    kind: text('Its kind of question.'),
    step_count: integer('How many turns were taken.'),
    max_turns: integer('How many there may be.'),
    turns_left: integer('How many are left.'),
    done: flag('Whether it has ended.'),
    reward: orNull(real('Its reward, when it has ended.')),
    end_reason: orNull(text('Why it ended.')),
    messages: list(Message, 'The whole conversation; empty once it has ended.'),
  },
  'An episode as it stands.',
)

export const GymRefusal = object(
  {
    status: integer('As HTTP has it.'),
    code: text('A code for machines.'),
    detail: text('What is wrong.'),
    hint: Type.Optional(text('What to do.')),
  },
  'Why one of many could not be done; the others are.',
)

const pictures = Type.Optional(
  Type.Enum(['inline', 'link'], {
    description: 'How pictures come: inline, in base64 (the default), or link, by URL.',
  }),
)

export const GymEpisodesRequest = Type.Object(
  {
    episodes: Type.Array(GymEpisodeOptions, { description: 'One each.', minItems: 1, maxItems: GYM_BATCH_MAX }),
    pictures,
  },
  { description: 'Episodes to begin.', additionalProperties: false },
)

export const GymEpisodes = object(
  {
    episodes: list(
      Type.Union([GymReset, object({ problem: GymRefusal }, 'One that could not be begun.')]),
      'In the order of the request.',
    ),
  },
  'Episodes that have begun.',
)

export const GymStepsRequest = Type.Object(
  {
    steps: Type.Array(
      Type.Object(
        {
          episode_id: text('The episode.'),
          action: Type.Union([Type.String(), GymTurn], { description: 'The turn: its text, or that with its tokens.' }),
          step_index: Type.Optional(
            integer(
              'The place of the turn. With it the same step may be sent again: it counts once, and is answered the same.',
            ),
          ),
        },
        { additionalProperties: false },
      ),
      { description: 'One each; of different episodes.', minItems: 1, maxItems: GYM_BATCH_MAX },
    ),
    pictures,
  },
  { description: 'Turns to take.', additionalProperties: false },
)

export const GymSteps = object(
  {
    steps: list(
      Type.Union([
        GymStep,
        object({ episode_id: text('The episode.'), problem: GymRefusal }, 'One that could not be taken.'),
      ]),
      'In the order of the request.',
    ),
  },
  'What came of the turns.',
)

export const GymAbout = object(
  {
    families: list(Type.String(), 'Families of tasks.'),
    kinds: list(
      object(
        {
          kind: text('Its name.'),
          family: text('Its family.'),
          dataset: text('The data set that it is made after.'),
          levels: list(json('Named parameters.'), 'Its levels, easiest first.'),
        },
        'A kind of question.',
      ),
      'Kinds of questions.',
    ),
    tools: list(json('A schema, as chat templates take it.'), 'The tools that a policy may call.'),
    episodes_open: integer('How many episodes are open.'),
    episodes_max: integer('How many may be.'),
    idle_s: integer('An episode without a step for so many seconds is ended.'),
  },
  'What can be asked of this gym.',
)

export const GymTools = object(
  {
    tools: list(
      object(
        {
          name: text('Its name here.'),
          aliases: list(
            Type.String(),
            'Other names that calls may use; case, spaces, dots, dashes and underscores do not matter.',
          ),
          family: text('Perception, Chart Understanding, Diagram Formalization or Math Solvers.'),
          subset: text('Its subset, such as ChartToTable.'),
          description: text('What it does.'),
          runs: text('local, or remote: at an address of the setting STEPSTORE_GYM_TOOLS.'),
          callable: flag('Whether it can be called here: a remote one needs an address.'),
          offered_to: list(Type.String(), 'The families of tasks whose prompts name it.'),
          default_task: text('The task of a call that names none.'),
          timeout_ms: integer('How long a call may take.'),
          concurrency: integer('How many calls run at once.'),
          retries: integer('How often a failed call is tried again.'),
          tasks: list(
            object(
              {
                task: text('Its name.'),
                subset: text('The subset that it counts for.'),
                description: text('What it does.'),
                arguments: json('The JSON Schema of its arguments.'),
                output: json('The JSON Schema of what it answers; anything else is E5.'),
              },
              'A task.',
            ),
            'Its tasks.',
          ),
        },
        'A tool.',
      ),
      'All tools of the registry, in the order of the paper.',
    ),
  },
  'The registry of tools.',
)
export type GymTools = Type.Static<typeof GymTools>
