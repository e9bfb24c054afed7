/**
 * When each clip of a comparison shows which of its frames, on one clock.
 *
 * Pure: no DOM, no clock of its own. A schedule is the list of transport times, in seconds and
 * never falling, at which a clip's frames appear, frame 0 first. Every way of comparing clips of
 * different length and rate is another schedule for the same frames; nothing else changes.
 * A moment is {lap, timeS}: how often a loop has begun anew, and the transport time.
 */

/** Sums of seconds are off by less than this; no two frames are this near. */
const SLACK_S = 1e-6;

/** The ways to lay clips side by side in time. */
export const BASES = Object.freeze(['time', 'frame', 'fraction', 'live']);

/** Index of the frame due at timeS: the last one that has appeared by then, at least 0. */
export function dueFrame(scheduleS, timeS) {
  let low = 0;
  let high = scheduleS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scheduleS[middle] <= timeS + SLACK_S) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/**
 * Whether clips carry what a base needs: "live" the rate or the times at which frames were made;
 * recorded: such times there are, but they are not here yet.
 */
export function isPossibleIn(base, clips) {
  return base !== 'live'
    || clips.every(({ fps, arrivalsS, recorded }) => fps > 0 || arrivalsS || recorded);
}

/**
 * Schedules of the clips in a base, each {scheduleS, endS}; endS: from there on nothing new.
 *
 * A clip is {timestampsS, durationS, fps, arrivalsS}; the last two are needed by "live" only: the
 * rate at which the clip was generated, and, where a run recorded them, the times at which each
 * frame was there. Null for the base where a clip lacks what it needs.
 *
 * - time: as the files say.
 * - frame: frame n of every clip appears with frame n of the first; past its end at its mean rate.
 * - fraction: all begin and end together, the longest at its own pace.
 * - live: at the pace at which the frames were really generated.
 */
export function schedulesIn(base, clips) {
  if (!clips.length) return [];
  if (base === 'time') {
    return clips.map(({ timestampsS, durationS }) => ({ scheduleS: timestampsS, endS: durationS }));
  }
  if (base === 'frame') {
    const nth = pace(clips[0]);
    return clips.map(({ timestampsS }) => ({
      scheduleS: timestampsS.map((_, index) => nth(index)), endS: nth(timestampsS.length),
    }));
  }
  if (base === 'fraction') {
    const longestS = Math.max(...clips.map(({ durationS }) => durationS));
    return clips.map(({ timestampsS, durationS }) => ({
      scheduleS: timestampsS.map((stampS) => (stampS / durationS) * longestS), endS: longestS,
    }));
  }
  if (base === 'live') {
    return isPossibleIn(base, clips) ? clips.map(live) : null;
  }
  throw new RangeError(`no time base "${base}"`);
}

/** When the nth frame of a clip appears, for any n. */
function pace({ timestampsS, durationS }) {
  const count = timestampsS.length;
  return (index) => (index < count
    ? timestampsS[index] : durationS + ((index - count) * durationS) / count);
}

function live({ timestampsS, fps, arrivalsS }) {
  const count = timestampsS.length;
  if (!arrivalsS) return { scheduleS: timestampsS.map((_, i) => i / fps), endS: count / fps };
  const lastS = arrivalsS.at(-1);
  return { scheduleS: arrivalsS, endS: lastS + lastS / Math.max(1, arrivalsS.length - 1) };
}

/** The frames that a loop over range shows, first and last; "still" where it is only one. */
export function lapOf(scheduleS, { inS, outS }) {
  const first = dueFrame(scheduleS, inS);
  const last = Math.max(first, dueFrame(scheduleS, outS - 2 * SLACK_S));
  return { first, last, still: first === last };
}

/** A moment plus seconds; at range.outS a loop begins anew, anything else stops there. */
export function advance({ lap, timeS }, seconds, { inS, outS }, loops) {
  const onS = timeS + seconds;
  if (onS < outS - SLACK_S) return { lap, timeS: onS };
  if (!loops) return { lap, timeS: outS };
  const over = Math.floor((onS - inS + SLACK_S) / (outS - inS));
  return { lap: lap + over, timeS: Math.max(inS, onS - over * (outS - inS)) };
}

/** Seconds from one moment to a later one, along the loop. */
export function between(from, to, { inS, outS }) {
  return (to.lap - from.lap) * (outS - inS) + to.timeS - from.timeS;
}

/**
 * The moment up to which a clip's frames are known, when the newest at hand is {lap, index}.
 *
 * Decoders deliver in order, so all up to the newest are there; the next one is the first that
 * may be missed. In a loop the frame after the last is the first of the next lap.
 */
export function knownUntil(scheduleS, newest, loop, { inS }) {
  if (loop && newest.index >= loop.last) return { lap: newest.lap + 1, timeS: inS };
  const next = newest.index + 1;
  return { lap: newest.lap, timeS: next < scheduleS.length ? scheduleS[next] : Infinity };
}

/** Whether moment or frame {lap, index} comes before another, or is the same. */
export function notAfter(one, other) {
  return one.lap < other.lap || (one.lap === other.lap && one.index <= other.index);
}

/**
 * The transport time of the next (1) or previous (-1) change of any clip's picture, or timeS where
 * there is none: stepping there and back shows the same pictures.
 */
export function changeFrom(schedulesS, timeS, direction) {
  if (direction > 0) {
    const laterS = schedulesS.map((scheduleS) => firstAfter(scheduleS, timeS));
    const nextS = Math.min(...laterS);
    return Number.isFinite(nextS) ? nextS : timeS;
  }
  // What is on screen came with the latest change; the one before that is the previous picture.
  const cameS = schedulesS.map((scheduleS) => scheduleS[dueFrame(scheduleS, timeS)]);
  const shownS = Math.max(...cameS.filter((atS) => atS <= timeS + SLACK_S));
  const previousS = Math.max(...schedulesS.map((scheduleS) => lastBefore(scheduleS, shownS)));
  return [previousS, shownS].find(Number.isFinite) ?? timeS;
}

function firstAfter(scheduleS, timeS) {
  if (scheduleS[0] > timeS + SLACK_S) return scheduleS[0];
  return scheduleS[dueFrame(scheduleS, timeS) + 1] ?? Infinity;
}

function lastBefore(scheduleS, timeS) {
  const sought = timeS - 2 * SLACK_S;
  return scheduleS[0] <= sought ? scheduleS[dueFrame(scheduleS, sought)] : -Infinity;
}
