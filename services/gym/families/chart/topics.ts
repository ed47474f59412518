import type { Split } from '#services/gym/items/item.ts'

/** What a chart may be about. All figures are invented. */
export type Topic = {
  readonly title: string
  /** The measure in a sentence: "the *rainfall* of Ardmore". */
  readonly measure: string
  /** Written in the axis title; '' for plain counts. */
  readonly unit: string
  /** One category in a question: "which *town*". */
  readonly noun: string
  /** The bank that its categories are drawn from, and the one of its series. */
  readonly categories: Bank
  readonly series: Bank
  readonly lowest: number
  readonly highest: number
  readonly decimals: 0 | 1
}

export type Bank = keyof typeof banks

/**
 * Words to label with, by bank: those of training and of test items have no member in common, so that no scene can
 * occur in both. Within a split no word is part of another.
 */
export const banks = {
  towns: {
    train: ['Arden', 'Brockley', 'Calder', 'Dunmore', 'Eskdale', 'Farrow', 'Glenside', 'Holmby', 'Isleham', 'Kirkton'],
    test: ['Ashby', 'Bolden', 'Crewton', 'Drayford', 'Everly', 'Foxham', 'Garth', 'Hexley', 'Ingram', 'Linfield'],
  },
  fruits: {
    train: ['Apple', 'Banana', 'Cherry', 'Grape', 'Mango', 'Orange', 'Peach', 'Lemon', 'Papaya'],
    test: ['Pear', 'Plum', 'Melon', 'Kiwi', 'Apricot', 'Fig', 'Lime', 'Guava', 'Quince'],
  },
  trees: {
    train: ['Beech', 'Cedar', 'Maple', 'Oak', 'Spruce', 'Willow', 'Poplar', 'Hazel', 'Elder'],
    test: ['Birch', 'Larch', 'Pine', 'Yew', 'Alder', 'Rowan', 'Aspen', 'Walnut', 'Cypress'],
  },
  branches: {
    train: ['Harbour', 'Old Mill', 'Northgate', 'Elm Park', 'Station', 'Castle', 'Hilltop', 'Chapel', 'Abbey'],
    test: ['Riverside', 'Market', 'East Dock', 'Fernhill', 'Kingsway', 'Lowfield', 'Millbrook', 'Overton', 'Quayside'],
  },
  animals: {
    train: ['Badger', 'Otter', 'Fox', 'Heron', 'Lynx', 'Marten', 'Raven', 'Stoat'],
    test: ['Beaver', 'Deer', 'Eagle', 'Hare', 'Kestrel', 'Owl', 'Swan', 'Weasel'],
  },
  years: {
    train: ['1991', '1992', '1993', '1994', '1995', '1996', '1997', '1998', '1999'],
    test: ['2012', '2013', '2014', '2015', '2016', '2017', '2018', '2019', '2020'],
  },
  months: {
    train: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun'],
    test: ['Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
  },
  teams: {
    train: ['Falcons', 'Tigers', 'Comets', 'Pirates', 'Rovers', 'Giants'],
    test: ['Hornets', 'Wolves', 'Rockets', 'Vikings', 'Rangers', 'Dragons'],
  },
  makers: {
    train: ['Alvero', 'Brenta', 'Corvid', 'Deltron', 'Elmora', 'Fintech'],
    test: ['Galden', 'Hexar', 'Jorvik', 'Kestra', 'Lumenor', 'Novaro'],
  },
  people: {
    train: ['Alice', 'Bruno', 'Clara', 'David', 'Elena', 'Frank'],
    test: ['Grace', 'Henry', 'Irene', 'Jonas', 'Karin', 'Louis'],
  },
} as const satisfies Record<string, Record<Split, readonly string[]>>

/** Banks whose words keep their order on an axis. */
export const orderedBanks: readonly Bank[] = ['years', 'months']

export const topics: readonly Topic[] = [
  topic('Rainfall by town', 'rainfall', 'mm', 'town', ['towns', 'teams'], [12, 180], 0),
  topic('Visits to the city libraries', 'number of visits', '', 'branch', ['branches', 'people'], [900, 9800], 0),
  topic('Votes for the favourite fruit', 'number of votes', '', 'fruit', ['fruits', 'people'], [14, 118], 0),
  topic('Height of the oldest tree', 'height', 'm', 'species', ['trees', 'towns'], [8, 46], 1),
  topic('Animals seen from the hide', 'number of sightings', '', 'animal', ['animals', 'people'], [40, 520], 0),
  topic('Sales over time', 'sales', 'million', 'year', ['years', 'makers'], [5, 78], 1),
  topic('Goals scored over time', 'number of goals', '', 'year', ['years', 'teams'], [11, 96], 0),
  topic('Power fed into the grid', 'power', 'GWh', 'month', ['months', 'towns'], [60, 940], 0),
  topic('Hours of practice', 'practice time', 'hours', 'month', ['months', 'people'], [8, 64], 1),
  topic('Price of a small car', 'price', 'dollars', 'town', ['towns', 'makers'], [8200, 29_500], 0),
  topic('Waste that is recycled', 'recycled share', '%', 'branch', ['branches', 'makers'], [9, 84], 0),
  topic('Time from order to delivery', 'delivery time', 'days', 'town', ['towns', 'makers'], [1.5, 14], 1),
]

function topic(
  title: string,
  measure: string,
  unit: string,
  noun: string,
  [categories, series]: readonly [Bank, Bank],
  [lowest, highest]: readonly [number, number],
  decimals: 0 | 1,
): Topic {
  return { title, measure, unit, noun, categories, series, lowest, highest, decimals }
}
