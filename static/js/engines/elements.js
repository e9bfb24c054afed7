/**
 * Engine B: several <video> elements kept in step by one transport.
 *
 * All members gather (loaded, sought, buffered), start in one task, and are then held to one
 * clock by small changes of their playback rate. The engine looks at what the elements are, once
 * per animation frame, instead of trusting what their events promise. Anything done to an element
 * by somebody else is answered: a seek moves all members, a pause is undone once and obeyed when
 * repeated or done to all, a stall holds all. It knows media elements, but not the page.
 */

import {
  CRAWL, LAW, RATES, bufferWanted, bufferedAhead, clamp, clockAt, commonSpan, correctedRate,
  frameAt, inOrder, isOver, mean, mustSeek, nextStrikes, playRange, runningClock, spread, standAt,
  stepTime, stoppedClock, transportEnd,
} from '../lib/transport.js';
import { SILENT_MS } from '../lib/failures.js';

const START_TIMEOUT_MS = 1500; // an element that has not moved by then is gathered again
const HOLD_EXACT_AFTER_MS = 60; // a hold this long is used to bring all pictures to one moment
const HOLD_PATIENCE_MS = 10000; // after this a thin buffer no longer holds the others
const INSIST_MS = 2000; // a second outside pause within this time is meant
const CALM_MS = 10000; // running this long without a stall forgives the earlier ones
const READOUT_MS = 500; // the reported offset is the worst of this last stretch
const MAX_SEEKS = 3; // per gathering; a server without Range would be asked for ever

/** One clip under the transport: its element and what the engine asked of it. */
class Member {
  constructor(side, video, durationHintS) {
    this.side = side;
    this.video = video;
    this.durationHintS = durationHintS;
    this.timestampsS = null;
    this.commanded = 'pause';
    this.seekTargetS = null;
    this.seeks = 0;
    this.strikes = 0;
    this.startS = 0;
    this.restartedMs = -Infinity;
    this.shownS = null;
    this.heardMs = null; // when the server last let something be heard, since it was asked
    this.failure = null; // {kind, text} where the element itself does not know of one
    this.listening = new AbortController();
  }

  get durationS() {
    const { duration } = this.video;
    return Number.isFinite(duration) && duration > 0 ? duration : this.durationHintS;
  }

  get failed() {
    return this.failure !== null || this.video.error !== null;
  }

  command(what) {
    this.commanded = what;
    if (what === 'pause') this.video.pause();
    return what === 'play' ? this.video.play() : undefined;
  }

  seek(timeS) {
    this.seekTargetS = timeS;
    this.seeks += 1;
    this.video.currentTime = timeS;
  }

  setRate(rate) {
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  /** Seconds at hand, or Infinity where the browser has all it is going to fetch. */
  get aheadS() {
    const { buffered, currentTime, networkState } = this.video;
    const ranges = Array.from({ length: buffered.length }, (_, i) => [
      buffered.start(i), buffered.end(i),
    ]);
    const aheadS = bufferedAhead(ranges, currentTime);
    const complete = currentTime + aheadS >= this.durationS - 0.25;
    const idle = networkState === HTMLMediaElement.NETWORK_IDLE;
    return complete || idle ? Infinity : aheadS;
  }
}

/** Drives the elements given to it; calls changed() after every animation frame it works. */
export class ElementsEngine {
  #members = new Map();
  #changed;
  #wantsToPlay = false;
  #phase = 'still'; // still | gathering | starting | running
  #clock = stoppedClock(0);
  #rate = 1;
  #loop = { on: false, inS: null, outS: null };
  #suspended = new Set();
  #engaged = false; // nothing is fetched before somebody wants to see something
  #blocked = false;
  #waitingFor = [];
  #sinceMs = 0; // when the present phase began
  #stalls = 0;
  #offsets = []; // [wall ms, offset s] of the last READOUT_MS
  #request = 0;

  constructor(changed) {
    this.#changed = changed;
  }

  // ── members ──────────────────────────────────────────────────────────────────────────────

  /** Puts a clip on a side, or replaces the one there; the transport time stays. */
  setMember(side, video, { durationS = 0, timestampsS = null } = {}) {
    this.removeMember(side);
    const member = new Member(side, video, durationS);
    member.timestampsS = timestampsS;
    this.#members = inOrder(this.#members.set(side, member));
    this.#listen(member);
    if (this.#engaged) this.#gather(this.now());
  }

  removeMember(side) {
    const member = this.#members.get(side);
    if (!member) return;
    member.listening.abort();
    this.#members.delete(side);
  }

  setTimestamps(side, timestampsS) {
    const member = this.#members.get(side);
    if (member) member.timestampsS = timestampsS;
  }

  #listen(member) {
    const { video } = member;
    const { signal } = member.listening;
    const on = (name, heard) => video.addEventListener(name, heard, { signal });
    on('pause', () => this.#heardPause(member));
    on('play', () => this.#heardPlay(member));
    on('seeking', () => this.#heardSeek(member));
    on('seeked', () => {
      if (!video.seeking) member.seekTargetS = null;
    });
    for (const name of ['progress', 'loadedmetadata']) {
      on(name, () => { member.heardMs = performance.now(); });
    }
    for (const name of ['waiting', 'canplay', 'emptied', 'error', 'durationchange']) {
      on(name, () => this.#wake());
    }
    if (!video.requestVideoFrameCallback) return;
    const shown = (_, frame) => {
      if (signal.aborted) return;
      member.shownS = frame.mediaTime;
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  // ── what a viewer asks for ───────────────────────────────────────────────────────────────

  play() {
    if (!this.#live().length) return;
    this.#engaged = true;
    this.#blocked = false;
    this.#wantsToPlay = true;
    const { inS, outS } = this.#range();
    const timeS = this.now();
    const outside = timeS >= outS - LAW.overS || (this.#loop.on && timeS < inS);
    if (outside) this.#gather(inS);
    else if (this.#phase === 'still') this.#gather(timeS);
  }

  pause() {
    this.#wantsToPlay = false;
    if (!this.#engaged) return;
    const timeS = this.now();
    this.#pauseAll();
    const first = this.#active(timeS)[0];
    const near = first && Math.abs(first.video.currentTime - timeS) < LAW.hardErrorS;
    this.#gather(near && !first.video.seeking ? first.video.currentTime : timeS);
  }

  seek(timeS) {
    this.#engaged = true;
    this.#gather(clamp(timeS, 0, this.#endS()));
  }

  /** To the next (1) or previous (-1) picture of any clip. False without timestamps. */
  step(direction) {
    const lists = this.#live().map((member) => member.timestampsS).filter(Boolean);
    if (!lists.length) return false;
    const timeS = this.now();
    this.#wantsToPlay = false;
    this.seek(stepTime(lists, timeS, direction, this.#endS()));
    return true;
  }

  setRate(rate) {
    this.#rate = clamp(rate, RATES.min, RATES.max);
    const running = this.#phase === 'running';
    this.#clock = running
      ? runningClock(this.now(), performance.now(), this.#rate)
      : stoppedClock(this.now(), this.#rate);
    if (running) for (const member of this.#live()) member.setRate(this.#rate);
    this.#changed();
  }

  /** Changes any of on, inS, outS (null: the clip's own start or end). */
  setLoop(change) {
    this.#loop = { ...this.#loop, ...change };
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

  /** Lets the browser look at the clips' first bytes: somebody is about to play. */
  prepare() {
    for (const { video } of this.#live()) {
      if (video.preload === 'none') video.preload = 'metadata';
    }
  }

  /** The time to begin at, without fetching anything yet. */
  startAt(timeS) {
    if (!this.#engaged) this.#clock = stoppedClock(timeS, this.#rate);
  }

  /** Lets go of all elements. */
  close() {
    cancelAnimationFrame(this.#request);
    this.#request = 0;
    this.#wantsToPlay = false;
    this.#phase = 'still';
    this.#pauseAll();
    for (const side of [...this.#members.keys()]) this.removeMember(side);
  }

  // ── what a viewer may know ───────────────────────────────────────────────────────────────

  /** Whether anybody has asked to see something yet. */
  get engaged() {
    return this.#engaged;
  }

  /** The transport time, in seconds. */
  now() {
    return clamp(clockAt(this.#clock, performance.now()), 0, this.#endS() || Infinity);
  }

  get state() {
    const timeS = this.now();
    const durations = this.#live().map((member) => member.durationS);
    return {
      timeS,
      playing: this.#wantsToPlay,
      phase: this.#phase,
      rate: this.#rate,
      loop: { ...this.#loop },
      endS: transportEnd(durations),
      commonS: commonSpan(durations),
      offsetMs: this.#offsets.length
        ? 1000 * Math.max(...this.#offsets.map(([, offsetS]) => offsetS))
        : null,
      waitingFor: [...this.#waitingFor],
      suspended: [...this.#suspended],
      blocked: this.#blocked,
      clips: Object.fromEntries([...this.#members].map(([side, member]) => [side, {
        durationS: member.durationS,
        over: isOver(timeS, member.durationS),
        failed: member.failed,
        failure: member.failure,
        stepsFrames: member.timestampsS !== null,
        frame: member.timestampsS && member.shownS !== null
          ? frameAt(member.timestampsS, member.shownS) : null,
        shownS: member.shownS,
      }])),
    };
  }

  // ── gathering: nothing moves until all can ───────────────────────────────────────────────

  #gather(timeS) {
    this.#clock = stoppedClock(timeS, this.#rate);
    this.#enter('gathering');
    for (const member of this.#live()) {
      member.seeks = 0;
      member.strikes = 0;
    }
    this.#pauseAll();
    this.#gatherOn(performance.now());
    this.#wake();
  }

  #gatherOn(nowMs) {
    const heldMs = nowMs - this.#sinceMs;
    const going = this.#wantsToPlay && !this.#suspended.size;
    const heldLong = heldMs >= HOLD_EXACT_AFTER_MS;
    const toleranceS = !going ? LAW.exactS : heldLong ? LAW.heldS : LAW.looseS;
    const members = this.#live();
    this.#waitingFor = members
      .filter((member) => !this.#place(member, going, toleranceS, heldMs))
      .map((member) => member.side);
    if (this.#waitingFor.length) return;
    if (!members.length) this.#wantsToPlay = false;
    if (going && members.length) this.#start(nowMs);
    else this.#enter('still');
  }

  /** Brings one member to the transport time; true once it stands there, ready. */
  #place(member, going, toleranceS, heldMs) {
    const { video } = member;
    if (this.#isSilent(member)) return true;
    if (!video.paused) member.command('pause');
    if (video.preload !== 'auto') video.preload = 'auto';
    if (video.networkState === HTMLMediaElement.NETWORK_EMPTY) video.load();
    if (video.readyState < HTMLMediaElement.HAVE_METADATA || video.seeking) return false;
    const targetS = standAt(this.now(), member.durationS);
    const over = isOver(this.now(), member.durationS);
    const placed = Math.abs(video.currentTime - targetS) <= toleranceS || (over && video.ended);
    if (!placed && member.seeks < MAX_SEEKS) {
      member.seek(targetS);
      return false;
    }
    if (!going || over) {
      return video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    }
    if (video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return false;
    const enough = video.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA;
    if (enough && !this.#stalls) return true;
    const wantedS = bufferWanted(this.#stalls) * this.#rate;
    return member.aheadS >= wantedS || heldMs > HOLD_PATIENCE_MS;
  }

  /** Gives up a clip of which nothing has come for long: the others need not wait for ever. */
  #isSilent(member) {
    const { readyState } = member.video;
    if (readyState >= HTMLMediaElement.HAVE_METADATA) return false;
    member.heardMs ??= performance.now();
    if (performance.now() - member.heardMs < SILENT_MS) return false;
    member.failure = { kind: 'silent', text: 'no answer' };
    return true;
  }

  // ── starting: all in one task, and nobody runs ahead ─────────────────────────────────────

  #start(nowMs) {
    this.#enter('starting', nowMs);
    for (const member of this.#active(this.now())) {
      member.startS = member.video.currentTime;
      member.setRate(this.#rate);
      member.command('play').catch((error) => this.#refused(member, error));
    }
  }

  #startOn(nowMs) {
    const active = this.#active(this.now());
    if (this.#answerOutside(active, nowMs)) return;
    const moving = active.filter(({ video, startS }) =>
      video.ended || video.currentTime > startS + 0.0005);
    if (moving.length === active.length) {
      const timesS = active.map(({ video }) => video.currentTime);
      this.#clock = runningClock(
        timesS.length ? mean(timesS) : this.now(), nowMs, this.#rate,
      );
      this.#enter('running', nowMs);
      this.#runOn(nowMs);
    } else if (nowMs - this.#sinceMs > START_TIMEOUT_MS) {
      this.#gather(this.now());
    } else {
      for (const member of moving) member.setRate(CRAWL);
    }
  }

  #refused(member, error) {
    if (error.name !== 'NotAllowedError' || member.commanded !== 'play') return;
    this.#blocked = true;
    this.pause();
  }

  // ── running: one clock, small corrections ────────────────────────────────────────────────

  #runOn(nowMs) {
    const timeS = this.now();
    const { outS, inS } = this.#range();
    if (timeS >= outS - LAW.overS) {
      if (!this.#loop.on) this.#wantsToPlay = false;
      this.#gather(this.#loop.on ? inS : outS);
      return;
    }
    const active = this.#active(timeS);
    if (this.#answerOutside(active, nowMs)) return;
    const stalled = active.some(({ video }) =>
      video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !video.ended);
    if (stalled) {
      this.#stalls += 1;
      this.#gather(Math.min(timeS, ...active.map(({ video }) => video.currentTime)));
      return;
    }
    if (nowMs - this.#sinceMs > CALM_MS) this.#stalls = 0;
    this.#correct(active.filter(({ video }) => !video.ended), nowMs);
  }

  #correct(active, nowMs) {
    const errors = active.map((member) => {
      const errorS = member.video.currentTime - clockAt(this.#clock, nowMs);
      member.strikes = nextStrikes(member.strikes, errorS);
      return [Math.abs(errorS), errorS, member];
    }).sort(([one], [other]) => one - other);
    if (errors.some(([, , member]) => mustSeek(member.strikes))) {
      this.#gather(errors[0][2].video.currentTime);
      return;
    }
    for (const [, errorS, member] of errors) {
      member.setRate(correctedRate(errorS, this.#rate));
    }
  }

  // ── what others do to the elements ───────────────────────────────────────────────────────

  /** Looks for seeks and pauses that are not the engine's; true where one changed the phase. */
  #answerOutside(active, nowMs) {
    const phase = this.#phase;
    for (const member of active) {
      if (member.video.seeking && member.seekTargetS === null) {
        this.#heardSeek(member);
        return true;
      }
    }
    const stopped = active.filter(({ video }) => video.paused && !video.ended);
    if (!stopped.length) return false;
    const insisted = stopped.some((member) => nowMs - member.restartedMs < INSIST_MS);
    if (insisted || (stopped.length === active.length && active.length > 1)) {
      this.pause();
      return true;
    }
    for (const member of stopped) {
      member.restartedMs = nowMs;
      member.command('play').catch((error) => this.#refused(member, error));
    }
    return phase !== this.#phase;
  }

  #heardPause(member) {
    if (member.commanded === 'pause' || !member.video.paused) return;
    if (this.#phase !== 'starting' && this.#phase !== 'running') return;
    this.#answerOutside(this.#active(this.now()), performance.now());
  }

  #heardPlay(member) {
    if (member.commanded === 'play' || member.video.paused) return;
    member.command('pause');
    this.play();
  }

  #heardSeek(member) {
    const atS = member.video.currentTime;
    if (member.seekTargetS !== null && Math.abs(atS - member.seekTargetS) < LAW.exactS) return;
    member.seekTargetS = null;
    this.seek(atS);
  }

  // ── the loop ─────────────────────────────────────────────────────────────────────────────

  #wake() {
    if (this.#request || !this.#engaged) return;
    this.#request = requestAnimationFrame(() => {
      this.#request = 0;
      this.#tick(performance.now());
    });
  }

  #tick(nowMs) {
    if (this.#phase === 'gathering') this.#gatherOn(nowMs);
    else if (this.#phase === 'starting') this.#startOn(nowMs);
    else if (this.#phase === 'running') this.#runOn(nowMs);
    this.#measure(nowMs);
    this.#changed();
    if (this.#phase !== 'still') this.#wake();
  }

  #measure(nowMs) {
    const active = this.#active(this.now());
    const settled = active.length > 1 && active.every(({ video }) => video.readyState > 0);
    if (!settled) {
      this.#offsets = [];
      return;
    }
    this.#offsets.push([nowMs, spread(active.map(({ video }) => video.currentTime))]);
    const keepFrom = this.#phase === 'still' ? nowMs : nowMs - READOUT_MS;
    this.#offsets = this.#offsets.filter(([atMs]) => atMs >= keepFrom);
  }

  #enter(phase, nowMs = performance.now()) {
    this.#phase = phase;
    this.#sinceMs = nowMs;
    if (phase !== 'gathering') this.#waitingFor = [];
  }

  #pauseAll() {
    for (const member of this.#members.values()) member.command('pause');
  }

  #live() {
    return [...this.#members.values()].filter((member) => !member.failed);
  }

  #active(timeS) {
    return this.#live().filter((member) => !isOver(timeS, member.durationS));
  }

  #endS() {
    return transportEnd(this.#live().map((member) => member.durationS));
  }

  #range() {
    const endS = this.#endS();
    return this.#loop.on ? playRange(this.#loop, endS) : { inS: 0, outS: endS };
  }
}
