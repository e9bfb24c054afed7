/**
 * Engine A: frames decoded in a worker, all clips shown on one clock. Exact by construction.
 *
 * Once per animation frame the clock moves on, but never past the moment up to which every clip's
 * frames are at hand: an empty queue holds it. Then each clip gets the frame whose interval
 * contains the clock, all in one task. Which frame that is comes from the timestamps that the site
 * publishes for the file; the worker says of each frame which one it is. What this module does not
 * know: pages and pictures. It hands changed frames to paint(); what becomes of them is not its
 * business, but paint() may not keep them.
 */

import {
  advance, between, changeFrom, dueFrame, isPossibleIn, knownUntil, lapOf, notAfter, schedulesIn,
} from '../lib/schedule.js';
import {
  RATES, bufferWanted, clamp, commonSpan, inOrder, playRange, transportEnd,
} from '../lib/transport.js';

const QUEUE_S = 1; // decoded pictures at hand, of one clip, never span more
const QUEUE = { each: 24, all: 72, least: 5 }; // frames, whatever their rate
const SLOW = { frames: 12, eachMs: 1 }; // drawing is told to be so by the first frames
const START_FRAMES = 3; // at hand of each clip before the clock starts
const STARVED_MS = 200; // held this long it is no hiccup: gather before going on
const PATIENCE_MS = 10_000; // after this a thin buffer no longer holds the others
const CALM_MS = 10_000; // running this long without a stall forgives the earlier ones
const SCRUB_MS = 250; // a seek under way this long gives way to a newer one
const DEAF_MS = 8000; // a worker that answers nothing for so long is lost in its file
const ASK_EVERY_MS = 1000;
const STUCK_MS = 300; // a decoder that may have run out of pictures gets some back

/** Whether this browser has what the engine needs. */
export function isPossible() {
  return typeof VideoDecoder === 'function' && typeof Worker === 'function';
}

/** One clip on the clock, and the frames of it at hand. */
class Member {
  constructor(id, { src, durationS, fps, arrivalsS, recorded }) {
    Object.assign(this, { id, src, durationS, fps, arrivalsS, recorded });
    this.opened = false;
    this.heardMs = null; // when its worker said anything last, once it has
    this.askedMs = null; // since when it owes an answer
    this.timestampsS = null;
    this.scheduleS = null;
    this.endS = durationS;
    this.failure = null; // {kind, text}
    this.generation = 0;
    this.loop = null;
    this.plan = ''; // what the worker decodes for: base and loop
    this.shown = null; // {lap, index} on screen
    this.forget();
  }

  /** Gives back every frame at hand. */
  forget() {
    for (const { frame } of this.queue ?? []) frame.close();
    this.queue = [];
    this.newest = null; // {lap, index} delivered last
    this.ended = false; // nothing comes after it
    this.outstanding = 0; // frames granted and not here yet
    this.read = null; // {lap, index} of the packet read last
    this.readAll = false;
  }

  get live() {
    return this.failure === null;
  }

  /** The frame due at a moment, as a place in the queue. */
  due({ lap, timeS }) {
    return { lap: this.loop && !this.loop.still ? lap : 0, index: dueFrame(this.scheduleS, timeS) };
  }

  /** The queue's entry that is on screen when `due` is; null where that is not known yet. */
  at(due) {
    let found = null;
    for (const one of this.queue) {
      if (!notAfter(one, due)) break;
      found = one;
    }
    if (!found || this.ended) return found;
    return notAfter(due, this.newest) ? found : null;
  }

  /** Frames at hand after `due`. */
  ahead(due) {
    return this.queue.filter((one) => !notAfter(one, due)).length;
  }
}

/** Shows the clips given to it; changed() is called after every animation frame it works. */
export class FramesEngine {
  #members = new Map();
  #workers = new Map(); // id -> Worker: a file that keeps its reader busy keeps no other waiting
  #asBitmaps = false;
  #changed;
  #paint;
  #failed;
  #base = 'time';
  #used = 'time'; // the base, or the plain one where a clip lacks what it needs
  #phase = 'still'; // still | gathering | running
  #moment = { lap: 0, timeS: 0 }; // of the pictures on screen
  #goal = null; // the moment that a seek leads to
  #pendingS = null; // where the next seek leads, while one is under way
  #rate = 1;
  #loop = { on: false, inS: null, outS: null };
  #suspended = new Set();
  #wantsToPlay = false;
  #engaged = false;
  #waitingFor = [];
  #sinceMs = 0; // when the present phase began
  #heldMs = 0; // how long the clock has been held, in one piece
  #lastMs = null; // of the last tick that ran
  #stalls = 0;
  #stalled = false;
  #heardMs = 0; // when a frame came last
  #drawn = { frames: 0, ms: 0 };
  #request = 0;

  /**
   * changed() after each tick; paint([{id, frame, index}]) with the frames that change, in the
   * same task; failed({id, kind, text}) when the engine cannot show a clip that another might.
   */
  constructor({ changed, paint, failed }) {
    this.#changed = changed;
    this.#paint = paint;
    this.#failed = failed;
  }

  // ── members ──────────────────────────────────────────────────────────────────────────────

  /** Puts a clip under an id, or replaces the one there; the transport time stays. */
  setMember(id, {
    src, durationS = 0, fps = null, arrivalsS = null, recorded = false, timestampsS = null,
  }) {
    this.#drop(id);
    const member = new Member(id, { src, durationS, fps, arrivalsS, recorded });
    this.#members = inOrder(this.#members.set(id, member));
    if (this.#engaged) this.#open(member);
    if (timestampsS) this.setTimestamps(id, timestampsS, arrivalsS);
    this.#schedule();
    if (this.#engaged) this.#gather(this.now());
  }

  removeMember(id) {
    this.#drop(id);
    if (!this.#members.delete(id)) return;
    this.#schedule();
    this.#gatherAnew();
  }

  #drop(id) {
    const member = this.#members.get(id);
    member?.forget();
    this.#dismiss(id);
  }

  /** With one clip less the others may be due elsewhere. */
  #gatherAnew() {
    if (this.#engaged && this.#live().length) this.#gather(Math.min(this.now(), this.#reachS()));
  }

  /** Where the frames stand in the file and, where a run recorded it, when each was made. */
  setTimestamps(id, timestampsS, arrivalsS = null) {
    const member = this.#members.get(id);
    if (!member || !timestampsS.length) return;
    const lastS = timestampsS.at(-1);
    member.timestampsS = timestampsS;
    member.arrivalsS = arrivalsS?.length === timestampsS.length ? arrivalsS : null;
    member.recorded = Boolean(member.arrivalsS);
    member.durationS ||= lastS + lastS / Math.max(1, timestampsS.length - 1);
    if (member.opened) this.#send(id, { type: 'stamps', timestampsS });
    this.#schedule();
    this.#wake();
  }

  /** One of BASES; false where a clip lacks what it needs. */
  setBase(base) {
    if (!isPossibleIn(base, this.#live())) return false;
    this.#base = base;
    this.#schedule();
    if (this.#engaged) this.#gather(Math.min(this.now(), this.#reachS()));
    this.#changed();
    return true;
  }

  #schedule() {
    const members = this.#live().filter(({ timestampsS }) => timestampsS);
    this.#used = isPossibleIn(this.#base, this.#live()) ? this.#base : 'time';
    const schedules = schedulesIn(this.#used, members);
    members.forEach((member, i) => Object.assign(member, schedules[i]));
  }

  /** Has the worker read a clip's head. */
  #open(member) {
    if (member.opened) return;
    member.opened = true;
    const { id, src, timestampsS } = member;
    this.#send(id, { type: 'open', src });
    if (timestampsS) this.#send(id, { type: 'stamps', timestampsS });
  }

  #send(id, message) {
    if (!this.#workers.has(id)) {
      const worker = new Worker(new URL('./frames-worker.js', import.meta.url), { type: 'module' });
      worker.onmessage = ({ data }) => this.#heard({ ...data, id });
      worker.onerror = () => this.#workerFailed();
      this.#workers.set(id, worker);
      if (this.#asBitmaps) worker.postMessage({ type: 'bitmaps' });
    }
    this.#workers.get(id).postMessage(message);
  }

  #dismiss(id) {
    this.#workers.get(id)?.terminate();
    this.#workers.delete(id);
  }

  /** Where nothing but the processor draws, the worker turns frames into pixels beforehand. */
  #draw(changes) {
    const fromMs = performance.now();
    this.#paint(changes);
    const { frames, ms } = this.#drawn;
    this.#drawn = { frames: frames + changes.length, ms: ms + performance.now() - fromMs };
    if (frames < SLOW.frames && this.#drawn.frames >= SLOW.frames
      && this.#drawn.ms > SLOW.eachMs * this.#drawn.frames) {
      this.#asBitmaps = true;
      for (const worker of this.#workers.values()) worker.postMessage({ type: 'bitmaps' });
    }
  }

  /** Without a network the worker's own script does not come: then nothing is wrong with it. */
  #workerFailed() {
    if (navigator.onLine) {
      this.#failed({ id: null, kind: 'worker', text: 'no worker' });
      return;
    }
    for (const id of [...this.#workers.keys()]) this.#dismiss(id);
    const lost = this.#live();
    const failure = { kind: 'unreachable', text: 'offline' };
    for (const member of lost) member.failure = failure; // all, before the first is told of
    for (const member of lost) this.#lose(member, failure);
  }

  #heard({ type, ...data }) {
    const member = this.#members.get(data.id);
    if (member) member.heardMs = performance.now();
    if (type === 'failed') {
      if (member) this.#lose(member, data);
      return;
    }
    if (!member || data.generation !== member.generation) {
      data.frame?.close();
      return;
    }
    if (type === 'frame') {
      const { lap, index, frame } = data;
      member.newest = { lap, index };
      member.queue.push({ lap, index, frame });
      member.outstanding -= 1;
      this.#heardMs = performance.now();
    } else if (type === 'ended') {
      member.ended = true;
    } else if (type === 'read') {
      member.read = { lap: data.lap, index: data.index };
      member.readAll = data.complete;
    }
    this.#wake();
  }

  /** Takes a clip for lost whose times did not come; kind and text as in `failed`. */
  lose(id, kind, text) {
    const member = this.#members.get(id);
    if (member) this.#lose(member, { kind, text });
  }

  #lose(member, { kind, text }) {
    member.forget();
    member.failure = { kind, text };
    this.#schedule();
    this.#gatherAnew();
    this.#failed({ id: member.id, kind, text });
    this.#wake();
    this.#changed();
  }

  // ── what a viewer asks for ───────────────────────────────────────────────────────────────

  play() {
    if (!this.#live().length) return;
    this.#wantsToPlay = true;
    const { inS, outS } = this.#range();
    const timeS = this.now();
    const outside = timeS >= outS - 0.005 || (this.#loop.on && timeS < inS);
    if (outside) this.#gather(inS);
    else if (this.#phase === 'still') this.#gather(timeS);
  }

  pause() {
    this.#wantsToPlay = false;
    if (!this.#engaged) return;
    if (this.#phase === 'running') this.#enter('still');
    else if (this.#goal) this.#gather(this.now());
    this.#changed();
  }

  /** To this transport time, in seconds; outside the clips means to their nearest end. */
  seek(timeS) {
    this.#gather(clamp(timeS, 0, this.#reachS()));
  }

  /** To the next (1) or previous (-1) change of any clip's picture. False without timestamps. */
  step(direction) {
    const schedules = this.#timed().map(({ scheduleS }) => scheduleS);
    if (!schedules.length) return false;
    this.#wantsToPlay = false;
    this.#gather(changeFrom(schedules, this.now(), direction));
    return true;
  }

  setRate(rate) {
    this.#rate = clamp(rate, RATES.min, RATES.max);
    this.#changed();
  }

  /** Changes any of on, inS, outS (null: the clip's own start or end). */
  setLoop(change) {
    this.#loop = { ...this.#loop, ...change };
    if (this.#phase !== 'still') this.#gather(this.now()); // what is under way is decoded for another
    this.#changed();
  }

  /** Stops everything for a reason, and goes on when the last reason is gone. */
  suspend(reason, isSo) {
    if (isSo === this.#suspended.has(reason)) return;
    if (isSo) this.#suspended.add(reason);
    else this.#suspended.delete(reason);
    if (this.#wantsToPlay || this.#phase !== 'still') this.#gather(this.now());
    this.#changed();
  }

  /** The time to begin at, without decoding anything yet. */
  startAt(timeS) {
    if (!this.#engaged) this.#moment = { lap: 0, timeS };
  }

  /** Loads the worker and the clips' heads: somebody is about to play. */
  prepare() {
    for (const member of this.#live()) this.#open(member);
  }

  /** Lets go of all frames and of the worker. */
  close() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
    this.#phase = 'still';
    this.#wantsToPlay = false;
    for (const member of this.#members.values()) member.forget();
    this.#members.clear();
    for (const id of [...this.#workers.keys()]) this.#dismiss(id);
  }

  // ── what a viewer may know ───────────────────────────────────────────────────────────────

  get engaged() {
    return this.#engaged;
  }

  /** The transport time, in seconds: where the viewer is, or where a seek leads. */
  now() {
    return this.#pendingS ?? this.#goal?.timeS ?? this.#moment.timeS;
  }

  /** When a clip's frames appear in the present base, {scheduleS, endS}; null while not known. */
  schedule(id) {
    const { scheduleS, endS } = this.#members.get(id) ?? {};
    return scheduleS ? { scheduleS, endS } : null;
  }

  get state() {
    const timeS = this.now();
    const live = this.#live();
    return {
      timeS,
      shownS: this.#moment.timeS,
      lap: this.#moment.lap,
      base: this.#used,
      playing: this.#wantsToPlay,
      phase: this.#phase,
      rate: this.#rate,
      loop: { ...this.#loop },
      endS: transportEnd(live.map(({ endS }) => endS)),
      commonS: commonSpan(live.map(({ endS }) => endS)),
      exact: true,
      offsetMs: live.some(({ shown }) => shown) ? 0 : null,
      waitingFor: [...this.#waitingFor],
      suspended: [...this.#suspended],
      blocked: false,
      clips: Object.fromEntries([...this.#members].map(([id, member]) => [id, {
        ...this.#onScreen(member),
        durationS: member.durationS,
        endS: member.endS,
        over: member.endS > 0 && timeS >= member.endS - 0.005,
        failed: !member.live,
        failure: member.failure,
        stepsFrames: member.timestampsS !== null,
        arrivals: Boolean(member.arrivalsS),
        frames: member.timestampsS?.length ?? null,
        queued: member.queue.length,
      }])),
    };
  }

  /** The frame that is seen of a clip; as live, before the first was made, when that one is due. */
  #onScreen({ shown, timestampsS, scheduleS }) {
    if (this.#used === 'live' && scheduleS?.[0] > this.#moment.timeS + 1e-6) {
      return { frame: null, shownS: null, awaitsS: scheduleS[0] };
    }
    return shown ? { frame: shown.index, shownS: timestampsS[shown.index], awaitsS: null }
      : { frame: null, shownS: null, awaitsS: null };
  }

  // ── gathering: the clock stands until every frame it needs is at hand ────────────────────

  #gather(timeS) {
    this.#engaged = true;
    this.prepare();
    const nowMs = performance.now();
    if (this.#goal && this.#waitingFor.length && nowMs - this.#sinceMs < SCRUB_MS) {
      this.#pendingS = timeS;
      this.#wake();
      return;
    }
    this.#pendingS = null;
    this.#aim(timeS, nowMs);
    this.#enter('gathering', nowMs);
    this.#wake();
  }

  /** Points every clip's decoding at a time, where it does not lead there anyway. */
  #aim(askedS, nowMs) {
    const range = this.#range();
    const inside = askedS >= range.inS && askedS < range.outS;
    const timeS = this.#loop.on && this.#wantsToPlay && !inside ? range.inS : askedS;
    const loops = this.#loop.on && (inside || timeS !== askedS);
    const plan = JSON.stringify([this.#used, loops && range]);
    const members = this.#timed();
    const here = { lap: this.#moment.lap, timeS };
    const atHand = members.length && members.every((member) => (
      member.plan === plan && this.#leadsTo(member, member.due(here))));
    this.#goal = atHand ? here : { lap: 0, timeS };
    if (atHand) return;
    this.#moment = { lap: 0, timeS: this.#moment.timeS };
    for (const member of members) this.#begin(member, timeS, loops ? range : null, plan);
    this.#heardMs = nowMs;
  }

  /** Whether a frame is in the queue, or will come soon as things go. */
  #leadsTo(member, due) {
    if (member.at(due)) return true;
    const [first] = member.queue;
    const { newest } = member;
    return Boolean(first && newest && notAfter(first, due) && due.lap === newest.lap
      && due.index <= newest.index + member.outstanding);
  }

  #begin(member, timeS, range, plan) {
    member.forget();
    member.shown = member.shown && { lap: -1, index: member.shown.index };
    member.plan = plan;
    member.loop = range && lapOf(member.scheduleS, range);
    member.generation += 1;
    const from = dueFrame(member.scheduleS, timeS);
    const { all, behind } = this.#room(member);
    const going = this.#wantsToPlay && !this.#suspended.size;
    const keepFrom = Math.max(going ? from : from - behind, 0);
    const frames = all;
    member.outstanding = frames;
    const { id, generation, loop } = member;
    this.#send(id, { type: 'seek', generation, from, keepFrom, loop, frames });
  }

  /** How many frames of a clip may be at hand, and how many of those behind the clock. */
  #room({ timestampsS, durationS }) {
    const perSecond = Math.floor((QUEUE_S * timestampsS.length) / durationS) || QUEUE.least;
    const share = Math.floor(QUEUE.all / this.#members.size);
    const all = clamp(Math.min(perSecond, share), QUEUE.least, QUEUE.each);
    return { all, behind: Math.min(all >> 1, all - 1 - START_FRAMES) };
  }

  #gatherOn(nowMs) {
    if (this.#pendingS !== null && nowMs - this.#sinceMs >= SCRUB_MS) {
      this.#gather(this.#pendingS);
      return;
    }
    const members = this.#live();
    if (members.some(({ timestampsS }) => !timestampsS)) {
      this.#waitingFor = members.filter((one) => !one.timestampsS).map(({ id }) => id);
      return;
    }
    if (members.some(({ plan }) => !plan)) {
      this.#aim(Math.min(this.#goal?.timeS ?? this.now(), this.#reachS()), nowMs);
    }
    const going = this.#wantsToPlay && !this.#suspended.size;
    const heldMs = nowMs - this.#sinceMs;
    const goal = this.#goal ?? this.#moment;
    const waited = members.filter((member) => !this.#isReady(member, goal, going, heldMs));
    this.#waitingFor = waited.map(({ id }) => id);
    for (const member of waited) this.#listen(member, performance.now());
    if (this.#waitingFor.length) return;
    this.#moment = goal;
    this.#goal = null;
    this.#show();
    if (this.#pendingS !== null) this.#gather(this.#pendingS);
    else if (!members.length) { this.#wantsToPlay = false; this.#enter('still', nowMs); }
    else this.#enter(going ? 'running' : 'still', nowMs);
  }

  /** Whether the worker of a clip that is waited for still answers; asked now and then. */
  #listen(member, nowMs) {
    const { heardMs, askedMs } = member;
    if (heardMs === null) return; // its script is on its way
    if (askedMs !== null && heardMs >= askedMs) member.askedMs = null;
    if (member.askedMs === null) {
      if (nowMs - heardMs < ASK_EVERY_MS) return;
      member.askedMs = nowMs;
      this.#send(member.id, { type: 'ask' });
    } else if (nowMs - member.askedMs > DEAF_MS) {
      this.#dismiss(member.id);
      this.#lose(member, { kind: 'undecodable', text: 'its reader never came back' });
    }
  }

  #isReady(member, goal, going, heldMs) {
    const due = member.due(goal);
    if (!member.at(due)) {
      if (performance.now() - this.#heardMs > STUCK_MS) this.#relieve(member, due);
      return false;
    }
    if (!going || member.ended) return true;
    const { all } = this.#room(member);
    if (member.ahead(due) < Math.min(START_FRAMES, all - 1)) return false;
    if (member.readAll || heldMs > PATIENCE_MS) return true;
    const wantedS = bufferWanted(this.#stalls) * this.#rate;
    return this.#readAheadS(member, goal) >= wantedS;
  }

  /** Seconds of the clip's packets at hand, from a moment on. */
  #readAheadS({ scheduleS, read, queue }, goal) {
    const decoded = queue.at(-1);
    const last = read && (!decoded || notAfter(decoded, read)) ? read : decoded;
    if (!last) return 0;
    return between(goal, { lap: last.lap, timeS: scheduleS[last.index] }, this.#range());
  }

  // ── running ──────────────────────────────────────────────────────────────────────────────

  #runOn(nowMs) {
    const range = this.#range();
    const members = this.#live();
    const passedS = this.#lastMs === null ? 0 : ((nowMs - this.#lastMs) / 1000) * this.#rate;
    const wanted = advance(this.#moment, passedS, range, this.#loop.on);
    const limits = members.map((member) => [member, this.#knownS(member, range)]);
    const wantedS = between(this.#moment, wanted, range);
    const allowedS = Math.min(wantedS, ...limits.map(([, knownS]) => knownS));
    this.#moment = advance(this.#moment, Math.max(0, allowedS), range, this.#loop.on);
    this.#show();
    this.#watchForStarving(limits, wantedS, allowedS, nowMs);
    if (!this.#loop.on && this.#moment.timeS >= range.outS - 1e-6) {
      this.#wantsToPlay = false;
      this.#enter('still', nowMs);
    }
  }

  /** Seconds from now up to which a clip's frames are at hand; always short of the next one. */
  #knownS(member, range) {
    if (member.ended) return Infinity;
    if (!member.newest) return 0;
    if (member.loop?.still && member.at(member.due(this.#moment))) return Infinity;
    const until = knownUntil(member.scheduleS, member.newest, member.loop, range);
    return between(this.#moment, until, range) - 2e-6;
  }

  #watchForStarving(limits, wantedS, allowedS, nowMs) {
    const held = allowedS < wantedS - 1e-6;
    this.#heldMs = held ? this.#heldMs + nowMs - (this.#lastMs ?? nowMs) : 0;
    const late = limits.filter(([, knownS]) => knownS < wantedS).map(([{ id }]) => id);
    this.#waitingFor = this.#heldMs > STARVED_MS / 2 ? late : [];
    if (this.#heldMs > STARVED_MS) {
      this.#stalls += 1;
      this.#gather(this.#moment.timeS);
    } else if (nowMs - this.#sinceMs > CALM_MS) {
      this.#stalls = 0;
    }
  }

  // ── showing ──────────────────────────────────────────────────────────────────────────────

  /** Paints what is due and not on screen yet, all clips in one task. */
  #show() {
    const changes = [];
    for (const member of this.#live()) {
      const found = member.at(member.due(this.#moment));
      if (!found) continue;
      const { shown } = member;
      if (!shown || shown.lap !== found.lap || shown.index !== found.index) {
        member.shown = { lap: found.lap, index: found.index };
        changes.push({ id: member.id, frame: found.frame, index: found.index });
      }
    }
    if (changes.length) this.#draw(changes);
    for (const member of this.#timed()) this.#tidy(member);
  }

  /** Gives back what is behind the clock and asks for as many. */
  #tidy(member) {
    const due = member.due(this.#moment);
    const { all, behind } = this.#room(member);
    const keep = this.#phase === 'running' ? 0 : behind;
    const passed = member.queue.filter((one) => notAfter(one, due)).length - 1;
    for (const { frame } of member.queue.splice(0, Math.max(0, passed - keep))) frame.close();
    this.#grant(member, all - member.queue.length - member.outstanding);
  }

  #grant(member, frames) {
    if (frames < 1 || member.ended || !member.newest) return;
    member.outstanding += frames;
    this.#send(member.id, { type: 'grant', generation: member.generation, frames });
  }

  /** Pictures of a hardware decoder are few: those behind the clock are given back to it. */
  #relieve(member, due) {
    const spare = member.queue.filter((one) => notAfter(one, due)).length - 1;
    if (spare < 1) return;
    for (const { frame } of member.queue.splice(0, spare)) frame.close();
    this.#grant(member, spare);
  }

  // ── the loop ─────────────────────────────────────────────────────────────────────────────

  #wake() {
    if (this.#request || !this.#engaged || this.#phase === 'still') return;
    this.#request = requestAnimationFrame((nowMs) => {
      this.#request = 0;
      this.#tick(nowMs);
    });
  }

  #tick(nowMs) {
    if (this.#phase === 'gathering') this.#gatherOn(nowMs);
    else if (this.#phase === 'running') this.#runOn(nowMs);
    this.#lastMs = this.#phase === 'running' ? nowMs : null;
    this.#changed();
    this.#wake();
  }

  #enter(phase, nowMs = performance.now()) {
    this.#phase = phase;
    this.#sinceMs = nowMs;
    this.#heldMs = 0;
    if (phase !== 'gathering') this.#waitingFor = [];
    if (phase !== 'running') this.#lastMs = null;
    if (phase === 'still') for (const member of this.#timed()) this.#tidy(member);
  }

  #live() {
    return [...this.#members.values()].filter((member) => member.live);
  }

  #timed() {
    return this.#live().filter(({ scheduleS }) => scheduleS);
  }

  #endS() {
    return transportEnd(this.#live().map(({ endS }) => endS));
  }

  /** The latest moment to go to; any, until the times of all clips are here. */
  #reachS() {
    const isKnown = this.#live().every(({ timestampsS }) => timestampsS);
    return (isKnown && this.#endS()) || Infinity;
  }

  #range() {
    const endS = this.#endS();
    return this.#loop.on ? playRange(this.#loop, endS) : { inS: 0, outS: endS };
  }
}
