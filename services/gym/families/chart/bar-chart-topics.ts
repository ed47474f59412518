/** What a chart may be about: pools of words and the range of its values. All figures are invented. */
export type Topic = {
  readonly title: string
  /** The measure in a sentence: "the number of *visits*", "the *rainfall*". */
  readonly measure: string
  /** Written after a value; '' for plain counts. */
  readonly unit: string
  /** One bar in a question: "which *branch*". */
  readonly noun: string
  readonly labels: readonly string[]
  readonly lowest: number
  readonly highest: number
  readonly decimals: 0 | 1
  /** Months and years keep their order on the axis. */
  readonly ordered: boolean
}

export const topics: readonly Topic[] = [
  {
    title: 'Rainfall in Port Aldine',
    measure: 'rainfall',
    unit: 'mm',
    noun: 'month',
    labels: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep'],
    lowest: 12,
    highest: 180,
    decimals: 0,
    ordered: true,
  },
  {
    title: 'Visits to the city libraries',
    measure: 'number of visits',
    unit: '',
    noun: 'branch',
    labels: ['Harbour', 'Old Mill', 'Northgate', 'Elm Park', 'Station', 'Castle', 'Riverside', 'Hilltop', 'Market'],
    lowest: 900,
    highest: 9800,
    decimals: 0,
    ordered: false,
  },
  {
    title: 'Honey harvested per hive',
    measure: 'harvest',
    unit: 'kg',
    noun: 'flower',
    labels: ['Acacia', 'Linden', 'Clover', 'Heather', 'Chestnut', 'Lavender', 'Thyme', 'Rapeseed'],
    lowest: 4,
    highest: 38,
    decimals: 1,
    ordered: false,
  },
  {
    title: 'Favourite fruit at Linfield School',
    measure: 'number of votes',
    unit: 'votes',
    noun: 'fruit',
    labels: ['Apple', 'Banana', 'Cherry', 'Grape', 'Mango', 'Orange', 'Peach', 'Pear', 'Plum'],
    lowest: 14,
    highest: 118,
    decimals: 0,
    ordered: false,
  },
  {
    title: 'Solar power fed into the grid',
    measure: 'solar power',
    unit: 'GWh',
    noun: 'district',
    labels: ['Arden', 'Brockley', 'Calder', 'Dunmore', 'Eskdale', 'Farrow', 'Glenside', 'Holm', 'Isleham'],
    lowest: 60,
    highest: 940,
    decimals: 0,
    ordered: false,
  },
  {
    title: 'Battery life in the browsing test',
    measure: 'battery life',
    unit: 'h',
    noun: 'laptop',
    labels: ['Aero 13', 'Aero 15', 'Flint', 'Nimbus', 'Orbit', 'Pebble', 'Slate 2', 'Talon'],
    lowest: 4,
    highest: 21,
    decimals: 1,
    ordered: false,
  },
  {
    title: 'Waste that is recycled',
    measure: 'recycled share',
    unit: '%',
    noun: 'town',
    labels: ['Ashby', 'Bolden', 'Crewton', 'Dray', 'Everly', 'Foxham', 'Garth', 'Hexley'],
    lowest: 9,
    highest: 84,
    decimals: 0,
    ordered: false,
  },
  {
    title: 'Tickets sold at the film week',
    measure: 'number of tickets',
    unit: 'tickets',
    noun: 'film',
    labels: [
      'Low Tide',
      'Paper Moon',
      'The Ferry',
      'Second Snow',
      'Night Bus',
      'Glass Town',
      'Long Way Up',
      'Quiet Street',
    ],
    lowest: 240,
    highest: 3600,
    decimals: 0,
    ordered: false,
  },
  {
    title: 'Height of the oldest tree',
    measure: 'height',
    unit: 'm',
    noun: 'species',
    labels: ['Beech', 'Birch', 'Cedar', 'Larch', 'Maple', 'Oak', 'Pine', 'Spruce', 'Yew'],
    lowest: 8,
    highest: 46,
    decimals: 1,
    ordered: false,
  },
  {
    title: 'Bicycles counted on the canal bridge',
    measure: 'number of bicycles',
    unit: '',
    noun: 'day',
    labels: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
    lowest: 420,
    highest: 5200,
    decimals: 0,
    ordered: true,
  },
  {
    title: 'Time from order to delivery',
    measure: 'delivery time',
    unit: 'days',
    noun: 'warehouse',
    labels: ['East Dock', 'Fernhill', 'Kingsway', 'Lowfield', 'Millbrook', 'Norton', 'Overton', 'Quayside'],
    lowest: 1.5,
    highest: 14,
    decimals: 1,
    ordered: false,
  },
  {
    title: 'Songs recorded by the studio',
    measure: 'number of songs',
    unit: 'songs',
    noun: 'year',
    labels: ['2014', '2015', '2016', '2017', '2018', '2019', '2020', '2021', '2022'],
    lowest: 11,
    highest: 96,
    decimals: 0,
    ordered: true,
  },
]
