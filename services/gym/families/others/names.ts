/** Places under clocks and gauges and on timetables; every second one is for tests. */
export const places: readonly string[] = [
  'Lisbon',
  'Denver',
  'Madrid',
  'Osaka',
  'Cairo',
  'Geneva',
  'Boston',
  'Helsinki',
  'Dublin',
  'Havana',
  'Athens',
  'Bergen',
  'Nairobi',
  'Munich',
  'Panama',
  'Quebec',
  'Seattle',
  'Tunis',
  'Vienna',
  'Warsaw',
  'Zurich',
  'Delhi',
  'Hanoi',
  'Porto',
]

/** What a gauge stands on; every second one is for tests. */
export const machines: readonly string[] = [
  'Boiler',
  'Pump',
  'Tank',
  'Motor',
  'Oven',
  'Press',
  'Cellar',
  'Garden',
  'Kettle',
  'Turbine',
  'Freezer',
  'Pool',
]

/** Where things lie that are counted; every second one is for tests. */
export const grounds: readonly string[] = [
  'Kitchen table',
  'School desk',
  'Garden bench',
  'Market stall',
  'Toy box',
  'Window shelf',
  'Picnic blanket',
  'Work bench',
]
