/** Every second name of each bank is for tests (see bankOf). */
export const companies: readonly string[] = [
  'Harbour Mills',
  'Northgate Supply',
  'Alder Works',
  'Pine Street Stores',
  'Corvin Trading',
  'Delmar Studio',
  'Brightwater Foods',
  'Oakridge Tools',
  'Summit Paper',
  'Lantern Books',
  'Redfern Garden',
  'Maple Kitchen',
  'Stonebridge Print',
  'Willow Market',
  'Ironside Repairs',
  'Meadow Bakery',
]
export const people: readonly string[] = [
  'Marta Kovel',
  'Peter Lund',
  'Hanna Brandt',
  'David Morris',
  'Clara Mendes',
  'Victor Hale',
  'Nadia Petrov',
  'Simon Archer',
  'Laura Benson',
  'Martin Weber',
  'Teresa Grant',
  'Robert Dean',
  'Sophie Turner',
  'Karen Fields',
  'Henry Porter',
  'Anna Berg',
]
export const cities: readonly string[] = [
  'Fernhill',
  'Marston',
  'Ashford',
  'Kelburn',
  'Newport',
  'Redmond',
  'Stanton',
  'Belford',
  'Camden',
  'Dunmore',
  'Weston',
  'Norfolk',
]
export const streets: readonly string[] = [
  'Mill Road',
  'High Street',
  'Park Avenue',
  'Station Road',
  'Garden Lane',
  'Bridge Street',
]
export const departments: readonly string[] = [
  'Sales',
  'Planning',
  'Accounts',
  'Design',
  'Transport',
  'Research',
  'Training',
  'Support',
]
export const goods: readonly string[] = [
  'Desk lamp',
  'Paper towels',
  'Garden hose',
  'Steel hammer',
  'Coffee beans',
  'Water bottle',
  'Wall clock',
  'Note pads',
  'Paint brush',
  'Door handle',
  'Tea cups',
  'Storage box',
  'Power cable',
  'Hand soap',
  'Picture frame',
  'Office chair',
  'Bread knife',
  'Green apples',
  'Candle set',
  'Winter gloves',
  'Floor mat',
  'Table cloth',
  'Brown rice',
  'Flower pot',
  'Tool belt',
  'Pencil case',
  'Mixing bowl',
  'Blue folders',
  'Ground pepper',
  'Rubber boots',
]
const months: readonly string[] = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** A day as one of three ways of writing has it. */
export function writtenDate(day: Date, way: number): string {
  const [date, month, year] = [day.getUTCDate(), months[day.getUTCMonth()] ?? '', day.getUTCFullYear()]
  if (way === 0) return `${date} ${month} ${year}`
  if (way === 1) return `${month} ${date}, ${year}`
  return day.toISOString().slice(0, 10)
}

/** The day that a text names in one of these ways, as days since 1970; null for another text. */
export function readDate(text: string): number | null {
  const named = /(\d{1,2}) ?([A-Za-z]+),? ?(\d{4})/.exec(text) ?? null
  const american = /([A-Za-z]+) ?(\d{1,2}),? ?(\d{4})/.exec(text)
  const plain = /(\d{4})-(\d{2})-(\d{2})/.exec(text)
  const made = (year: string, month: number, day: string): number | null =>
    month < 0 ? null : Date.UTC(Number(year), month, Number(day)) / 86_400_000
  const place = (word: string): number => months.findIndex((month) => month.slice(0, 3) === word.slice(0, 3))
  if (plain !== null) return made(plain[1] ?? '', Number(plain[2]) - 1, plain[3] ?? '')
  if (named !== null) return made(named[3] ?? '', place(named[2] ?? ''), named[1] ?? '')
  return american === null ? null : made(american[3] ?? '', place(american[1] ?? ''), american[2] ?? '')
}
