/** Requests whose head cannot be read: they reach no route, and are told all the same what is wrong. */
import type { Server } from 'node:http'
import { Problem, problemBody } from '#services/problem.ts'

/** Bytes of the URL and the headers together. A filter of 200 values of 256 bytes fits. */
export const HEAD_BYTES_MAX = 128 * 1024

/** How long a client may go on sending what nobody reads, so that it comes to read the answer. */
const DRAIN_MS = 2000

function problemOf(code: string | undefined): { readonly line: string; readonly problem: Problem } {
  if (code === 'HPE_HEADER_OVERFLOW')
    return {
      line: '431 Request Header Fields Too Large',
      problem: new Problem('too_large', `the URL and the headers are over ${HEAD_BYTES_MAX} bytes`, {
        hint: 'save a long filter under a name: POST /v1/recipes, then read /v1/datasets/@name.parquet',
      }),
    }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return {
      line: '408 Request Timeout',
      problem: new Problem('invalid', 'the request did not come in time', { hint: 'send it again' }),
    }
  return {
    line: '400 Bad Request',
    problem: new Problem('invalid', 'this is no HTTP request', { hint: 'send HTTP/1.1, with the path URL-encoded' }),
  }
}

/** Answers what the server's parser refuses with problem details, and closes the connection. */
export function answerHeadErrors(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const { line, problem } = problemOf(error.code)
    const body = JSON.stringify({ ...problemBody(problem), status: Number(line.slice(0, 3)) })
    socket.end(
      `HTTP/1.1 ${line}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
    // A connection that is closed on unread bytes is reset, and the client never sees the answer.
    socket.resume()
    setTimeout(() => socket.destroy(), DRAIN_MS).unref()
  })
}
