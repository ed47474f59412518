import { guess, heardTexts, means, nearestTo, type HeardText } from '#services/gym/families/heard-texts.ts'
import type { Expert, ExpertHeard } from '#services/gym/policies/policy.ts'

/** Reads instruments, counts by detection, and reads timetables as placed text. */
export const expert: Expert = (question, choices, heard) => {
  const counted = /^How many (.+?) (?:are there|lie here)\?/.exec(question)?.[1]
  const [last] = heard
  if (last === undefined) {
    if (counted !== undefined) {
      return {
        think: `I have every one of the ${counted} found.`,
        tool: 'grounding_dino',
        task: 'detect',
        arguments: { caption: captionOf(counted) },
      }
    }
    return /clock|gauge|thermometer|largest number/.test(question)
      ? { think: 'An instrument is to be read.', tool: 'instrument_reader', task: 'read', arguments: {} }
      : {
          think: 'The times are printed, so I read the text.',
          tool: 'easyocr',
          task: 'detect_and_recognize',
          arguments: {},
        }
  }
  const found = last.ok ? answerFrom(question, choices, last) : null
  if (found === null)
    return { think: 'The tool did not show what is asked for; I guess.', answer: guess(question, choices) }
  return { think: `What the tool found gives ${found}.`, answer: found }
}

/** "red circles" as "red circle", "red things" as "red object". */
function captionOf(words: string): string {
  return words.replace(/things$/, 'object').replace(/s$/, '')
}

function answerFrom(question: string, choices: readonly string[], heard: ExpertHeard): string | null {
  if (heard.tool === 'grounding_dino') return /^[^\n]*: (\d+)/.exec(heard.text)?.[1] ?? null
  if (heard.tool === 'easyocr') return fromTimetable(question, heardTexts(heard))
  const read = heard.text.split('\n').flatMap((line) => {
    const match = /^(.*?) \| (?:clock|gauge|thermometer) \| (\S+)/.exec(line)
    return match === null ? [] : [{ name: match[1] ?? '', reading: match[2] ?? '' }]
  })
  if (/largest number/.test(question)) {
    const most = read.toSorted((one, other) => Number(other.reading) - Number(one.reading))[0]
    return most === undefined ? null : (nearestTo(most.name, choices, (choice) => choice) ?? null)
  }
  const name = /(?:clock|gauge|thermometer) of (?:the )?(\w+)/.exec(question)?.[1] ?? ''
  const one = nearestTo(name, read, (each) => each.name) ?? (read.length === 1 ? read[0] : undefined)
  return one?.reading ?? null
}

function fromTimetable(question: string, texts: readonly HeardText[]): string | null {
  const trip = /(?:Bus|Train|Tram) \d+/.exec(question)?.[0] ?? ''
  const long = / from (\w+) to (\w+)\?/.exec(question)
  if (long !== null) {
    const [from, to] = [timeAt(long[1] ?? '', trip, texts), timeAt(long[2] ?? '', trip, texts)]
    return from === null || to === null ? null : String(Math.abs(to - from))
  }
  const time = timeAt(/ at (\w+)\?/.exec(question)?.[1] ?? '', trip, texts)
  if (time === null) return null
  return `${String(Math.floor(time / 60)).padStart(2, '0')}:${String(time % 60).padStart(2, '0')}`
}

/** The time, in minutes after midnight, in the row of a stop and the column of a trip. */
function timeAt(stop: string, trip: string, texts: readonly HeardText[]): number | null {
  const row = texts.find(({ text }) => means(text, stop)) ?? nearestTo(stop, texts, ({ text }) => text)
  const number = trip.replaceAll(/\D/g, '')
  const kind = trip.replaceAll(/[^A-Za-z]/g, '')
  const column =
    texts.find(({ text }) => text.endsWith(number) && text.startsWith(kind)) ??
    nearestTo(trip, texts, ({ text }) => text)
  if (row === undefined || column === undefined) return null
  const times = texts.filter(({ text, y }) => /^\d?\d\D?\d\d$/.test(text) && Math.abs(y - row.y) < 14)
  const [cell] = times.toSorted((one, other) => offset(one, column) - offset(other, column))
  const match = /^(\d?\d)\D?(\d\d)$/.exec(cell?.text ?? '')
  return match === null ? null : Number(match[1]) * 60 + Number(match[2])
}

/** Columns are set flush left or about their middle. */
function offset(one: HeardText, column: HeardText): number {
  return Math.min(Math.abs(one.x - column.x), Math.abs(one.left - column.left))
}
