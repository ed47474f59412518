import type { Split } from '#services/gym/items/item.ts'

/** Living things of one habitat, from producers upwards. */
export type Habitat = { readonly name: string; readonly levels: readonly (readonly string[])[] }

/** Habitats of the two splits share no living thing, so no scene can be in both. */
export const habitats: Readonly<Record<Split, readonly Habitat[]>> = {
  train: [
    {
      name: 'a meadow',
      levels: [
        ['Clover', 'Dandelion', 'Wheat'],
        ['Rabbit', 'Beetle', 'Vole', 'Butterfly'],
        ['Shrew', 'Toad', 'Weasel'],
        ['Red fox', 'Kestrel'],
      ],
    },
    {
      name: 'a pond',
      levels: [
        ['Algae', 'Duckweed', 'Reeds'],
        ['Water flea', 'Snail', 'Tadpole', 'Mosquito'],
        ['Newt', 'Minnow', 'Dragonfly'],
        ['Pike', 'Heron'],
      ],
    },
    {
      name: 'a coral reef',
      levels: [
        ['Phytoplankton', 'Seagrass'],
        ['Krill', 'Sea turtle', 'Parrotfish', 'Shrimp'],
        ['Squid', 'Grouper', 'Octopus'],
        ['Reef shark', 'Barracuda'],
      ],
    },
  ],
  test: [
    {
      name: 'a forest',
      levels: [
        ['Oak tree', 'Blackberry', 'Fern'],
        ['Caterpillar', 'Deer', 'Mouse', 'Squirrel'],
        ['Robin', 'Hedgehog', 'Badger'],
        ['Owl', 'Wolf'],
      ],
    },
    {
      name: 'a desert',
      levels: [
        ['Cactus', 'Sagebrush', 'Acacia'],
        ['Kangaroo rat', 'Locust', 'Jackrabbit', 'Ant'],
        ['Lizard', 'Scorpion', 'Rattlesnake'],
        ['Hawk', 'Coyote'],
      ],
    },
    {
      name: 'a cold sea',
      levels: [
        ['Diatoms', 'Kelp'],
        ['Copepod', 'Sea urchin', 'Mussel', 'Crab'],
        ['Herring', 'Penguin', 'Sea otter'],
        ['Orca', 'Leopard seal'],
      ],
    },
  ],
}
