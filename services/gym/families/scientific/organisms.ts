import type { Split } from '#services/gym/items/item.ts'

/** A living thing, and what of its habitat it can eat. */
export type Organism = {
  /** As it stands in the picture. */
  readonly name: string
  /** Several of it, in the middle of a sentence. */
  readonly many: string
  /** What is said to grow when there is more of it. */
  readonly measure: 'number' | 'amount'
  /** Names of the level below; none for what makes its food itself. */
  readonly eats: readonly string[]
}

/** Living things of one habitat: producers, plant eaters, small predators, large predators. */
export type Habitat = { readonly name: string; readonly levels: readonly (readonly Organism[])[] }

const living = (name: string, many: string, ...eats: readonly string[]): Organism => ({
  name,
  many,
  measure: 'number',
  eats,
})

/** What is not counted: clover, algae. */
const stuff = (name: string): Organism => ({ name, many: name.toLowerCase(), measure: 'amount', eats: [] })

const meadow: Habitat = {
  name: 'a meadow',
  levels: [
    [stuff('Clover'), living('Dandelion', 'dandelions'), stuff('Grass')],
    [
      living('Rabbit', 'rabbits', 'Clover', 'Dandelion', 'Grass'),
      living('Vole', 'voles', 'Clover', 'Dandelion', 'Grass'),
      living('Grasshopper', 'grasshoppers', 'Clover', 'Dandelion', 'Grass'),
      living('Butterfly', 'butterflies', 'Clover', 'Dandelion'),
    ],
    [
      living('Toad', 'toads', 'Grasshopper', 'Butterfly'),
      living('Shrew', 'shrews', 'Grasshopper', 'Butterfly'),
      living('Weasel', 'weasels', 'Vole', 'Rabbit'),
      living('Crow', 'crows', 'Grasshopper', 'Vole', 'Rabbit'),
    ],
    [
      living('Red fox', 'red foxes', 'Shrew', 'Weasel', 'Crow'),
      living('Buzzard', 'buzzards', 'Toad', 'Shrew', 'Weasel', 'Crow'),
    ],
  ],
}

const pond: Habitat = {
  name: 'a pond',
  levels: [
    [stuff('Algae'), stuff('Duckweed'), stuff('Waterweed')],
    [
      living('Daphnia', 'daphnia', 'Algae'),
      living('Snail', 'snails', 'Algae', 'Duckweed', 'Waterweed'),
      living('Tadpole', 'tadpoles', 'Algae', 'Duckweed', 'Waterweed'),
      living('Mosquito larva', 'mosquito larvae', 'Algae'),
    ],
    [
      living('Newt', 'newts', 'Daphnia', 'Snail', 'Tadpole', 'Mosquito larva'),
      living('Minnow', 'minnows', 'Daphnia', 'Mosquito larva'),
      living('Diving beetle', 'diving beetles', 'Snail', 'Tadpole', 'Mosquito larva'),
    ],
    [
      living('Pike', 'pike', 'Newt', 'Minnow', 'Diving beetle'),
      living('Heron', 'herons', 'Newt', 'Minnow', 'Diving beetle'),
      living('Kingfisher', 'kingfishers', 'Newt', 'Minnow', 'Diving beetle'),
    ],
  ],
}

const reef: Habitat = {
  name: 'a coral reef',
  levels: [
    [stuff('Phytoplankton'), stuff('Seagrass'), stuff('Seaweed')],
    [
      living('Krill', 'krill', 'Phytoplankton'),
      living('Shrimp', 'shrimp', 'Phytoplankton', 'Seaweed'),
      living('Parrotfish', 'parrotfish', 'Seagrass', 'Seaweed'),
      living('Conch', 'conchs', 'Seagrass', 'Seaweed'),
    ],
    [
      living('Squid', 'squid', 'Krill', 'Shrimp'),
      living('Octopus', 'octopuses', 'Shrimp', 'Parrotfish', 'Conch'),
      living('Grouper', 'groupers', 'Shrimp', 'Parrotfish'),
      living('Stingray', 'stingrays', 'Shrimp', 'Conch'),
    ],
    [
      living('Reef shark', 'reef sharks', 'Squid', 'Octopus', 'Grouper', 'Stingray'),
      living('Barracuda', 'barracudas', 'Squid', 'Octopus', 'Grouper'),
    ],
  ],
}

const forest: Habitat = {
  name: 'a forest',
  levels: [
    [living('Oak tree', 'oak trees'), living('Blackberry', 'blackberries'), living('Beech', 'beeches')],
    [
      living('Caterpillar', 'caterpillars', 'Oak tree', 'Blackberry', 'Beech'),
      living('Mouse', 'mice', 'Oak tree', 'Blackberry', 'Beech'),
      living('Squirrel', 'squirrels', 'Oak tree', 'Beech'),
      living('Slug', 'slugs', 'Blackberry', 'Beech'),
    ],
    [
      living('Robin', 'robins', 'Caterpillar', 'Slug'),
      living('Hedgehog', 'hedgehogs', 'Caterpillar', 'Slug'),
      living('Pine marten', 'pine martens', 'Squirrel', 'Mouse'),
      living('Badger', 'badgers', 'Caterpillar', 'Slug', 'Mouse'),
    ],
    [
      living('Eagle owl', 'eagle owls', 'Robin', 'Hedgehog', 'Pine marten'),
      living('Wolf', 'wolves', 'Badger', 'Pine marten'),
      living('Lynx', 'lynxes', 'Hedgehog', 'Badger', 'Pine marten'),
    ],
  ],
}

const desert: Habitat = {
  name: 'a desert',
  levels: [
    [living('Cactus', 'cacti'), stuff('Sagebrush'), living('Acacia', 'acacias')],
    [
      living('Kangaroo rat', 'kangaroo rats', 'Cactus', 'Sagebrush', 'Acacia'),
      living('Locust', 'locusts', 'Sagebrush', 'Acacia'),
      living('Jackrabbit', 'jackrabbits', 'Cactus', 'Sagebrush', 'Acacia'),
      living('Ant', 'ants', 'Cactus', 'Sagebrush', 'Acacia'),
    ],
    [
      living('Lizard', 'lizards', 'Locust', 'Ant'),
      living('Tarantula', 'tarantulas', 'Locust', 'Ant'),
      living('Rattlesnake', 'rattlesnakes', 'Kangaroo rat', 'Jackrabbit'),
      living('Roadrunner', 'roadrunners', 'Locust', 'Kangaroo rat'),
    ],
    [
      living('Hawk', 'hawks', 'Lizard', 'Rattlesnake', 'Roadrunner'),
      living('Coyote', 'coyotes', 'Lizard', 'Tarantula', 'Rattlesnake', 'Roadrunner'),
    ],
  ],
}

const coldSea: Habitat = {
  name: 'a cold sea',
  levels: [
    [living('Diatoms', 'diatoms'), stuff('Kelp'), stuff('Sea lettuce')],
    [
      living('Copepod', 'copepods', 'Diatoms'),
      living('Sea urchin', 'sea urchins', 'Kelp', 'Sea lettuce'),
      living('Mussel', 'mussels', 'Diatoms'),
      living('Limpet', 'limpets', 'Diatoms', 'Kelp', 'Sea lettuce'),
    ],
    [
      living('Herring', 'herring', 'Copepod'),
      living('Cod', 'cod', 'Copepod', 'Mussel', 'Limpet', 'Sea urchin'),
      living('Eider', 'eiders', 'Mussel', 'Limpet', 'Sea urchin'),
      living('Sea otter', 'sea otters', 'Mussel', 'Limpet', 'Sea urchin'),
    ],
    [
      living('Orca', 'orcas', 'Herring', 'Cod', 'Sea otter'),
      living('Grey seal', 'grey seals', 'Herring', 'Cod', 'Eider'),
      living('Sea eagle', 'sea eagles', 'Herring', 'Cod', 'Eider'),
    ],
  ],
}

/** Habitats of the two splits share no living thing, so no scene can be in both. */
export const habitats: Readonly<Record<Split, readonly Habitat[]>> = {
  train: [meadow, pond, reef],
  test: [forest, desert, coldSea],
}
