/**
 * Recipes that were saved under a name. Each version is a record in blobs, put if absent, so that a lost store loses
 * none, and what `@name:3` means never changes.
 */
import type { Blobs } from '#services/blobs/blobs.ts'
import { Problem } from '#services/problem.ts'
import { RECIPE_NAMES, type RecipeName } from './recipes.ts'

/** A version of a named recipe. */
export interface SavedRecipe {
  readonly name: string
  /** From 1 on. */
  readonly version: number
  readonly recipe: RecipeName
  /** The canonical query of what it asks, without snapshot and format. */
  readonly query: string
  readonly description: string
  readonly created_at: string
}

export interface SavedRecipes {
  /** Saves the next version; the newest as it is where that asks the same. `created` says which. */
  save(
    recipe: Omit<SavedRecipe, 'version' | 'created_at'>,
  ): Promise<{ readonly saved: SavedRecipe; readonly created: boolean }>
  /** A version, or the newest. Throws `not_found`. */
  find(name: string, version?: number): Promise<SavedRecipe>
  /** All versions of one, oldest first. Throws `not_found`. */
  versions(name: string): Promise<readonly SavedRecipe[]>
  /** The newest version of each after a name, in order of name, at most `limit`. */
  list(after: string, limit: number): Promise<readonly SavedRecipe[]>
}

export const RECIPE_NAME = /^[A-Za-z0-9_-]{1,64}$/
const PREFIX = 'datasets/recipes/'
/** Versions are looked for by number; their names sort. */
const keyOf = (name: string, version: number) => `${PREFIX}${name}/${String(version).padStart(9, '0')}.json`
const VERSIONS_MAX = 10_000

/**
 * Reads `@name`, `@name:3`, `@name.parquet` or `@name:3.parquet`; undefined where it does not begin with @. Throws
 * `not_found` where it can be no name.
 */
export function recipeReference(
  path: string,
): { readonly name: string; readonly version: number | undefined; readonly extension: string } | undefined {
  if (!path.startsWith('@')) return undefined
  const parts = /^@([A-Za-z0-9_-]{1,64})(?::([1-9]\d{0,4}))?(\.\w+)?$/.exec(path)
  if (parts === null)
    throw new Problem('not_found', `${JSON.stringify(path.slice(0, 80))} is no saved recipe`, {
      hint: 'write @name.parquet, or @name:3.parquet for its third version; GET /v1/recipes lists them',
    })
  return {
    name: parts[1] ?? '',
    version: parts[2] === undefined ? undefined : Number(parts[2]),
    extension: parts[3] ?? '',
  }
}

/** Saved recipes in blobs. `clock` gives milliseconds since 1970. */
export function savedRecipes(blobs: Blobs, clock: () => number): SavedRecipes {
  async function read(key: string): Promise<SavedRecipe | undefined> {
    const bytes = await blobs.get(key)
    if (bytes === undefined) return undefined
    const saved = JSON.parse(Buffer.from(bytes).toString('utf8')) as SavedRecipe
    if (RECIPE_NAMES.includes(saved.recipe)) return saved
    throw new Problem('newer_data', `recipe @${saved.name}:${saved.version} was written by a newer version`, {
      hint: 'start that version, or a newer one',
    })
  }

  async function keysOf(prefix: string): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of blobs.list(prefix)) keys.push(key)
    return keys
  }

  const missing = (name: string, version?: number): Problem =>
    new Problem('not_found', `there is no recipe @${name}${version === undefined ? '' : `:${version}`}`, {
      hint: 'GET /v1/recipes lists them; POST /v1/recipes saves one',
    })

  async function newest(name: string): Promise<SavedRecipe | undefined> {
    const last = (await keysOf(`${PREFIX}${name}/`)).at(-1)
    return last === undefined ? undefined : read(last)
  }

  return {
    save: async (recipe) => {
      for (;;) {
        const last = await newest(recipe.name)
        if (last !== undefined && last.recipe === recipe.recipe && last.query === recipe.query)
          return { saved: last, created: false }
        const version = (last?.version ?? 0) + 1
        if (version > VERSIONS_MAX)
          throw new Problem('conflict', `@${recipe.name} has ${VERSIONS_MAX} versions already`, {
            hint: 'save it under another name',
          })
        const saved: SavedRecipe = { ...recipe, version, created_at: new Date(clock()).toISOString() }
        const { created } = await blobs.put(keyOf(recipe.name, version), Buffer.from(JSON.stringify(saved)), {
          ifAbsent: true,
        })
        // Somebody else saved that version first: what it asks may be the same.
        if (created) return { saved, created }
      }
    },
    find: async (name, version) => {
      const saved = version === undefined ? await newest(name) : await read(keyOf(name, version))
      if (saved === undefined) throw missing(name, version)
      return saved
    },
    versions: async (name) => {
      const found = await Promise.all((await keysOf(`${PREFIX}${name}/`)).map(read))
      if (found.length === 0) throw missing(name)
      return found.filter((saved) => saved !== undefined)
    },
    list: async (after, limit) => {
      const newestKeys = new Map<string, string>()
      for await (const { key } of blobs.list(PREFIX)) {
        const name = key.slice(PREFIX.length, key.lastIndexOf('/'))
        if (name <= after) continue
        if (!newestKeys.has(name) && newestKeys.size === limit) break
        newestKeys.set(name, key)
      }
      const found = await Promise.all([...newestKeys.values()].map(read))
      return found.filter((saved) => saved !== undefined)
    },
  }
}
