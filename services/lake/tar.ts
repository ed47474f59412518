/** Entries of a tar archive (ustar), with nothing in them that depends on when or by whom they were written. */
const BLOCK = 512

const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`

/** A file as an entry, padded to whole blocks. Its name has at most 100 ASCII characters, it at most 8 GiB. */
export function tarEntry(name: string, content: Uint8Array): Buffer {
  const head = Buffer.alloc(BLOCK)
  head.write(name, 0, 100, 'latin1')
  head.write(octal(0o644, 7), 100, 'latin1')
  head.write(octal(0, 7), 108, 'latin1')
  head.write(octal(0, 7), 116, 'latin1')
  head.write(octal(content.length, 11), 124, 'latin1')
  head.write(octal(0, 11), 136, 'latin1')
  head.write('        ', 148, 'latin1')
  head.write('0', 156, 'latin1')
  head.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (const byte of head) sum += byte
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([head, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)])
}

/** What an archive ends with. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK)
