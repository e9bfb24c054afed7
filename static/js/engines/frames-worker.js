/**
 * The worker of engine A: reads a clip by Range requests, decodes it, hands frames over.
 *
 * One worker a clip, with one Reel. It is told where to begin ("seek", with a generation) and how
 * many frames it may deliver ("grant"); it decodes from the keyframe before, keeps quiet about what
 * lies earlier, and goes on, round a loop where there is one, as long as it is granted frames. Each
 * packet is decoded under its frame's index in place of its timestamp, so that what comes out says
 * which frame it is, also in files whose timestamps repeat.
 */

import {
  EncodedPacketSink, Input, MATROSKA, MP4, QTFF, UrlSource, WEBM,
} from '../../vendor/mediabunny-1.61.0.min.js';
import { SILENT_MS, failureOf } from '../lib/failures.js';

const TICK_US = 1000; // between the indices under which packets are decoded
const SAME_STAMP_S = 0.0005; // stamps of one file that are nearer are the same
const IN_DECODER = 6; // packets a decoder is given at once
const READ_AHEAD = { packets: 900, bytes: 6_000_000 };
const CUT_S = 0.5; // decoders may keep the last frames of a sound file to themselves
const TELL_EVERY_MS = 50;
const RETRY_AFTER_S = [0.25, 0.5, 1, 2];
const MOST_PIXELS = 1 << 20; // of a bitmap: a queue of larger ones takes too much memory

let reel = null; // null again once it failed
let asBitmaps = false; // asked for where the page takes long to draw frames: it draws these at once

class Reel {
  #input;
  #sink = null;
  #config = null;
  #timestampsS = null;
  #generation = 0;
  #decoder = null;
  #credit = 0;
  #deliver = null; // takes what the decoder puts out, for the run at hand
  #wakers = new Set();
  #opened;
  #toTell = null;
  #telling = null;
  #sent = Promise.resolve(); // frames leave in their order, however long each takes

  constructor(src) {
    this.#input = new Input({
      formats: [MP4, QTFF, WEBM, MATROSKA],
      source: new UrlSource(src, { fetchFn: fetchClip, getRetryDelay: retryDelay }),
    });
    this.#opened = this.#open().catch((error) => this.#fail(error));
  }

  async #open() {
    const track = await this.#input.getPrimaryVideoTrack();
    if (!track) throw new Failure('undecodable', 'it holds no video track');
    this.#config = await track.getDecoderConfig();
    const codec = this.#config?.codec ?? track.codec ?? 'unknown codec';
    const supported = this.#config && await VideoDecoder.isConfigSupported(this.#config);
    if (!supported?.supported) throw new Failure('unsupported', codec);
    this.#sink = new EncodedPacketSink(track);
    postMessage({ type: 'opened', codec });
  }

  stamps(timestampsS) {
    this.#timestampsS = timestampsS;
    this.#wake();
  }

  grant(generation, frames) {
    if (generation !== this.#generation) return;
    this.#credit += frames;
    this.#wake();
  }

  /** Begins at frame `from` (delivering from `keepFrom` on), loop {first, last} or null. */
  async seek({ generation, from, keepFrom, loop, frames }) {
    this.#generation = generation;
    this.#credit = frames;
    this.#wake();
    const current = () => this.#generation === generation;
    await this.#opened;
    while (current() && !this.#timestampsS) await this.#change();
    if (!current() || !this.#sink) return;
    try {
      await this.#run(current, generation, from, keepFrom, loop);
    } catch (error) {
      if (current()) this.#fail(error);
    }
  }

  async #run(current, generation, from, keepFrom, loop) {
    const last = this.#timestampsS.length - 1;
    let stretch = { keepFrom, last: loop && from <= loop.last ? loop.last : last };
    for (let lap = 0; current(); lap += 1) {
      const said = await this.#play(current, generation, lap, stretch);
      if (!current()) return;
      if (!loop || loop.still || stretch.last !== loop.last) {
        await this.#sent;
        postMessage({ type: 'ended', generation, lap, ...said });
        return;
      }
      stretch = { keepFrom: loop.first, last: loop.last };
    }
  }

  /** Decodes and delivers one stretch. */
  async #play(current, generation, lap, { keepFrom, last }) {
    this.#freshDecoder();
    let done = false;
    let newest = -1;
    let held = null; // the frame before keepFrom: still on screen there where keepFrom is no frame
    const send = (decoded, index) => {
      this.#credit -= 1;
      this.#sent = this.#sent.then(async () => {
        const frame = asBitmaps ? await bitmapOf(decoded) : decoded;
        postMessage({ type: 'frame', generation, lap, index, frame }, [frame]);
      });
    };
    this.#deliver = (frame) => {
      const index = Math.round(frame.timestamp / TICK_US);
      newest = Math.max(newest, index);
      if (!current() || index > last) {
        frame.close();
        if (index > last) done = true;
      } else if (index < keepFrom) {
        held?.close();
        held = { frame, index, close: () => frame.close() };
      } else {
        if (held && index > keepFrom) send(held.frame, held.index);
        else held?.close();
        held = null;
        send(frame, index);
        done = index === last;
      }
      this.#wake();
    };
    const packets = new PacketAhead(this.#sink, this.#timestampsS, (index, complete) => {
      this.#tell(generation, lap, index, complete || index >= last);
    });
    try {
      const startS = this.#timestampsS[keepFrom] + SAME_STAMP_S;
      const key = await this.#sink.getKeyPacket(startS, { verifyKeyPackets: true })
        ?? await this.#sink.getFirstKeyPacket();
      if (!current()) return;
      if (!key) throw new Failure('undecodable', 'it holds no keyframe');
      packets.begin(key);
      while (current() && !done) {
        const inside = this.#decoder.decodeQueueSize;
        if (this.#credit <= inside || inside >= IN_DECODER) {
          await this.#change();
          continue;
        }
        const next = await packets.next();
        if (!current()) return;
        if (!next) {
          await this.#decoder.flush();
          const missing = this.#timestampsS[last] - (this.#timestampsS[newest] ?? -Infinity);
          if (current() && missing > CUT_S) throw new Failure('cut', 'the file ends too early');
          break;
        }
        this.#decoder.decode(chunk(next));
      }
    } finally {
      packets.stop();
      if (held && current()) send(held.frame, held.index);
      else held?.close();
      if (current()) this.#deliver = null;
    }
  }

  #freshDecoder() {
    this.#deliver = null;
    if (this.#decoder?.state === 'configured') {
      this.#decoder.reset();
    } else {
      this.#decoder = new VideoDecoder({
        output: (frame) => {
          if (this.#deliver) this.#deliver(frame);
          else frame.close();
        },
        error: (error) => this.#fail(new Failure('undecodable', error.message)),
      });
      this.#decoder.addEventListener('dequeue', () => this.#wake());
    }
    this.#decoder.configure(this.#config);
  }

  /** Says how far the file is read, seldom; what is said last is true. */
  #tell(generation, lap, index, complete) {
    this.#toTell = { type: 'read', generation, lap, index, complete };
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      postMessage(this.#toTell);
    }, TELL_EVERY_MS);
  }

  #change() {
    return new Promise((resolve) => { this.#wakers.add(resolve); });
  }

  #wake() {
    for (const resolve of this.#wakers) resolve();
    this.#wakers.clear();
  }

  #fail(error) {
    if (reel !== this) return;
    const kind = error instanceof Failure ? error.kind : 'undecodable';
    postMessage({ type: 'failed', kind, text: String(error?.message ?? error) });
    reel = null;
    this.#generation = -1;
    clearTimeout(this.#telling);
    this.#wake();
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#input.dispose();
  }
}

/** Reads packets on while the decoder is busy or the queue is full. */
class PacketAhead {
  #sink;
  #timestampsS;
  #told;
  #queue = [];
  #bytes = 0;
  #wakers = new Set();
  #over = false;
  #error = null;
  #sameStamp = { stampS: NaN, times: 0 };

  constructor(sink, timestampsS, told) {
    this.#sink = sink;
    this.#timestampsS = timestampsS;
    this.#told = told;
  }

  begin(packet) {
    this.#pump(packet).catch((error) => { this.#error = error; }).finally(() => {
      this.#over = true;
      this.#wake();
    });
  }

  async next() {
    while (!this.#queue.length && !this.#over) await this.#change();
    if (!this.#queue.length && this.#error) throw this.#error;
    const next = this.#queue.shift() ?? null;
    this.#bytes -= next?.packet.byteLength ?? 0;
    this.#wake();
    return next;
  }

  stop() {
    this.#over = true;
    this.#queue = [];
    this.#wake();
  }

  async #pump(first) {
    let newest = -1;
    for (let packet = first; packet && !this.#over;) {
      const index = this.#indexOf(packet.timestamp);
      newest = Math.max(newest, index);
      this.#queue.push({ packet, index });
      this.#bytes += packet.byteLength;
      this.#told(newest, false);
      this.#wake();
      packet = await this.#sink.getNextPacket(packet, { verifyKeyPackets: false });
      while (!this.#over && (this.#queue.length > READ_AHEAD.packets
        || this.#bytes > READ_AHEAD.bytes)) {
        this.#told(newest, true);
        await this.#change();
      }
    }
    if (!this.#over) this.#told(newest, true);
  }

  /** The index in presentation order; of packets with one stamp each gets its own. */
  #indexOf(stampS) {
    const stamps = this.#timestampsS;
    let low = 0;
    let high = stamps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (stamps[middle] < stampS - SAME_STAMP_S) low = middle + 1;
      else high = middle;
    }
    const same = Math.abs(this.#sameStamp.stampS - stampS) < SAME_STAMP_S;
    this.#sameStamp = { stampS, times: same ? this.#sameStamp.times + 1 : 0 };
    return Math.min(low + this.#sameStamp.times, stamps.length - 1);
  }

  #change() {
    return new Promise((resolve) => { this.#wakers.add(resolve); });
  }

  #wake() {
    for (const resolve of this.#wakers) resolve();
    this.#wakers.clear();
  }
}

/** The frame as pixels, so that drawing it is copying; itself where that cannot be. */
async function bitmapOf(frame) {
  if (frame.displayWidth * frame.displayHeight > MOST_PIXELS) return frame;
  try {
    const bitmap = await createImageBitmap(frame);
    frame.close();
    return bitmap;
  } catch {
    return frame;
  }
}

function chunk({ packet, index }) {
  return new EncodedVideoChunk({
    type: packet.type, timestamp: index * TICK_US, data: packet.data,
  });
}

class Failure extends Error {
  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

/** fetch, with answers that are no clip told apart from clips that do not decode. */
async function fetchClip(input, init = {}) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Failure('silent', 'no answer')), SILENT_MS);
  const signal = AbortSignal.any([patience.signal, ...init.signal ? [init.signal] : []]);
  let answer;
  try {
    answer = await fetch(input, { ...init, signal });
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Failure) throw error;
    throw new Failure('unreachable', error.message);
  } finally {
    clearTimeout(timer);
  }
  const kind = failureOf(answer);
  if (kind) throw new Failure(kind, `the server answers ${answer.status}`);
  return answer;
}

function retryDelay(attempts, error) {
  return error instanceof Failure && error.kind !== 'unreachable'
    ? null : RETRY_AFTER_S[attempts - 1] ?? null;
}

onmessage = ({ data }) => {
  const { type } = data;
  if (type === 'bitmaps') asBitmaps = true;
  else if (type === 'open') {
    postMessage({ type: 'here' }); // from now on it owes answers, whatever it finds in the file
    reel = new Reel(data.src);
  } else if (type === 'ask' && reel) postMessage({ type: 'here' });
  else if (type === 'stamps') reel?.stamps(data.timestampsS);
  else if (type === 'seek') reel?.seek(data);
  else if (type === 'grant') reel?.grant(data.generation, data.frames);
};
