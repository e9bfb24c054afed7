/** Why a clip is not seen: what an answer, or none, says about it, and what a visitor reads of that. */

/** By kind of failure; a kind that is not here is the business of another engine. */
export const FAILURES = Object.freeze({
  missing: 'The file is not there any more (the server answers 404).',
  empty: 'The file is there, but it is empty.',
  refused: 'The server refuses to send it.',
  unreachable: 'The server cannot be reached: this device may be offline.',
  silent: 'The server does not answer.',
  cut: 'The file ends before its last frame.',
  undecodable: 'The file came, but no pictures could be decoded from it here.',
});

export const SILENT_MS = 12_000; // a server that let nothing be heard for so long is given up

/** The kind of failure that an answer to a request for a clip is; null where it is none. */
export function failureOf(answer) {
  if (answer.status === 404 || answer.status === 410) return 'missing';
  if (answer.status === 416 || answer.headers.get('Content-Length') === '0') return 'empty';
  return answer.ok ? null : 'refused';
}

/**
 * Why a <video> failed, which browsers do not tell: asks the server again, where it is our own
 * and scripts may. "elsewhere" is another site's server, of which nothing more can be known.
 */
export async function causeOf({ src, isOurs }, error) {
  if (!navigator.onLine) return 'unreachable';
  if (!isOurs) return error?.code === MediaError.MEDIA_ERR_DECODE ? 'undecodable' : 'elsewhere';
  try {
    const answer = await fetch(src, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
    answer.body?.cancel();
    return failureOf(answer) ?? 'undecodable';
  } catch {
    return 'unreachable';
  }
}

/** What a visitor reads of a kind of failure. */
export function sentence(kind, src) {
  return FAILURES[kind] ?? (kind === 'elsewhere'
    ? `${new URL(src).host} did not send it: it may be gone, or kept from other sites.`
    : 'It does not play here.');
}
