import type { Expert, ExpertHeard, ExpertMove } from '#services/gym/policies/policy.ts'

/** What is asked of the detector, and how its words become the answer. */
type Plan = { readonly caption: string; readonly answer: (heard: Heard) => string; readonly why: string }
type Heard = { readonly counts: readonly number[]; readonly things: readonly string[] }

/** Solves the questions of the spatial family by one call of the detector. */
export const expert: Expert = (question, _choices, heard): ExpertMove => {
  const plan = planOf(question)
  const last = heard.at(-1)
  if (last === undefined || (!last.ok && heard.length < 2)) {
    return {
      think: plan.why,
      tool: 'grounding_dino',
      task: 'detect',
      arguments: { caption: plan.caption },
    }
  }
  const answer = plan.answer(heardOf(last))
  return { think: `The detector says: ${last.text.slice(0, 200)}. So the answer is ${answer}.`, answer }
}

const planners: readonly (readonly [RegExp, (match: RegExpExecArray) => Plan])[] = [
  [
    /^How many (.+) are (left of|right of|in front of|behind) the (.+)\?$/,
    ([, what = '', side = '', other = '']) => counted(`${what} ${side} ${other}`),
  ],
  [/^(?:How many|What number of) (.+) are (?:there|in the picture)\?$/, ([, what = '']) => counted(what)],
  [
    /^(?:Is there a|Does the picture show a) (.+)\?$/,
    ([, what = '']) => ({
      caption: what,
      why: `I look for a ${what}.`,
      answer: ({ counts }) => ((counts[0] ?? 0) > 0 ? 'yes' : 'no'),
    }),
  ],
  [
    /^Are there (more|fewer|as many) (.+) (?:than|as) (.+)\?$/,
    ([, how = '', first = '', second = '']) => ({
      caption: `${first} . ${second}`,
      why: `I count the ${first} and the ${second}.`,
      answer: ({ counts: [left = 0, right = 0] }) =>
        (how === 'more' ? left > right : how === 'fewer' ? left < right : left === right) ? 'yes' : 'no',
    }),
  ],
  [
    /^(?:Take away|Subtract) (.+)\. How many things are left\?$/,
    ([, gone = '']) => {
      const parts = gone.split(' and ').map((part) => part.replace(/^all /, ''))
      return {
        caption: ['things', ...parts].join(' . '),
        why: `I find everything, and then what is taken away.`,
        answer: ({ counts, things }) => {
          const [all = 0] = counts
          // Something may be taken away twice over: by its place in the picture it is counted once.
          return String(all - new Set(things.slice(all)).size)
        },
      }
    },
  ],
  [/^What colour is the (.+)\?$/, ([, what = '']) => described(what, 1)],
  [/^What shape is the (.+): /, ([, what = '']) => described(what, 3)],
  [/^What is the (.+) made of/, ([, what = '']) => described(what, 2)],
  [/^Is the (.+) small or large\?$/, ([, what = '']) => described(what, 0)],
]

function planOf(question: string): Plan {
  for (const [pattern, plan] of planners) {
    const match = pattern.exec(question)
    if (match !== null) return plan(match)
  }
  return counted('things')
}

function counted(what: string): Plan {
  return { caption: what, why: `I count the ${what}.`, answer: ({ counts }) => String(counts[0] ?? 0) }
}

/** The word at a place of "large red metal cube". */
function described(what: string, place: number): Plan {
  const answer = ({ things }: Heard): string => things[0]?.split(' ')[place] ?? 'red'
  return { caption: what, why: `I find the ${what} and see what it is like.`, answer }
}

function heardOf({ text }: ExpertHeard): Heard {
  const lines = text.split('\n')
  const counts = lines.flatMap((line) => {
    const match = /^[^\d].*: (\d+)$/.exec(line)
    return match === null ? [] : [Number(match[1])]
  })
  const things = lines.flatMap((line) => {
    const match = /^\d+\. (.+)$/.exec(line)
    return match?.[1] === undefined ? [] : [match[1]]
  })
  return { counts, things }
}
