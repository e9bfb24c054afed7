/**
 * Time arithmetic and the control law of one transport over several clips.
 *
 * Pure: no DOM, no clock of its own; whoever calls brings the wall time. Times are seconds
 * unless a name ends in Ms. An error is "element minus clock": positive means ahead. What this
 * module does not know: how long a browser takes to obey.
 */

/** The law's constants. Seconds, or a share of the rate chosen by the viewer. */
export const LAW = Object.freeze({
  deadBandS: 0.001, // smaller errors are left alone
  settleS: 0.1, // an error decays by e in this time
  maxNudge: 0.75, // correction never exceeds this share of the chosen rate
  hardErrorS: 0.1, // beyond this an element is sought, not nudged ...
  hardSamples: 2, // ... once this many samples in a row agree
  looseS: 0.02, // an element this near its mark starts without a seek
  heldS: 0.005, // while all wait for one they are brought this near
  exactS: 0.002, // and this near when the viewer stops them
  overS: 0.005, // a clip this near its end is over
});

/** Limits of the rate a viewer may choose. */
export const RATES = Object.freeze({ min: 0.1, max: 2 });

/** Rates outside this range are refused by browsers. */
const BROWSER_RATES = Object.freeze({ min: 0.0625, max: 16 });

/** The slowest an element can be made to run while it waits for the others. */
export const CRAWL = BROWSER_RATES.min;

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** The members by their letters, in that order whenever they came: the first one sets the pace. */
export function inOrder(members) {
  return new Map([...members].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A clock that stands at mediaS until it is started. */
export function stoppedClock(mediaS, rate = 1) {
  return Object.freeze({ mediaS, wallMs: null, rate });
}

/** A clock that showed mediaS at wallMs and runs at rate. */
export function runningClock(mediaS, wallMs, rate = 1) {
  return Object.freeze({ mediaS, wallMs, rate });
}

/** What a clock shows at wallMs, in media seconds. */
export function clockAt(clock, wallMs) {
  if (clock.wallMs === null) return clock.mediaS;
  return clock.mediaS + ((wallMs - clock.wallMs) / 1000) * clock.rate;
}

/**
 * The playback rate that brings an element with this error back to the clock.
 *
 * Proportional with a dead band and a ceiling: the error falls in a straight line while the
 * ceiling holds, then as exp(-t / settleS). Steps of half a per cent keep the browser's work low.
 */
export function correctedRate(errorS, baseRate, law = LAW) {
  if (Math.abs(errorS) <= law.deadBandS) return baseRate;
  const share = clamp(-errorS / (law.settleS * baseRate), -law.maxNudge, law.maxNudge);
  const rate = baseRate * (1 + Math.round(share * 200) / 200);
  return clamp(rate, BROWSER_RATES.min, BROWSER_RATES.max);
}

/** Strikes after one more sample: a single bad sample never moves a picture. */
export function nextStrikes(strikes, errorS, law = LAW) {
  return Math.abs(errorS) > law.hardErrorS ? strikes + 1 : 0;
}

export function mustSeek(strikes, law = LAW) {
  return strikes >= law.hardSamples;
}

/** Largest difference between any two of the times; 0 for fewer than two. */
export function spread(timesS) {
  return timesS.length < 2 ? 0 : Math.max(...timesS) - Math.min(...timesS);
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Where the transport ends: with the longest clip. 0 when no length is known. */
export function transportEnd(durationsS) {
  return Math.max(0, ...durationsS.filter(Number.isFinite));
}

/** How long all clips have a picture of their own: the shortest one's length. */
export function commonSpan(durationsS) {
  const known = durationsS.filter((duration) => Number.isFinite(duration) && duration > 0);
  return known.length ? Math.min(...known) : 0;
}

/** Whether a clip of this length has nothing new to show at timeS. */
export function isOver(timeS, durationS, law = LAW) {
  return durationS > 0 && timeS >= durationS - law.overS;
}

/** Where a clip stands while the transport shows timeS: past its end it holds its last frame. */
export function standAt(timeS, durationS, law = LAW) {
  return durationS > 0 ? clamp(timeS, 0, durationS - law.overS) : Math.max(0, timeS);
}

/** The stretch that plays: the loop range cut to the clips, or all of it. */
export function playRange(loop, endS) {
  const inS = clamp(loop.inS ?? 0, 0, endS);
  const outS = clamp(loop.outS ?? endS, 0, endS);
  return outS > inS ? { inS, outS } : { inS: 0, outS: endS };
}

/** Seconds of media at hand from timeS on, given [start, end] pairs. */
export function bufferedAhead(ranges, timeS) {
  const slackS = 0.1; // ranges are estimates and may open just after the picture
  for (const [startS, endS] of ranges) {
    if (timeS >= startS - slackS && timeS <= endS) return endS - timeS;
  }
  return 0;
}

/** Seconds of media to gather before going on: doubles with every stall, up to 4 s. */
export function bufferWanted(stalls) {
  return Math.min(4, 0.5 * 2 ** stalls);
}

/** Frame timestamps are compared with this slack: a browser rounds to microseconds. */
const STAMP_SLACK_S = 0.0005;

/**
 * Index of the frame a clip shows at timeS: the last one stamped at or before it.
 *
 * timestampsS must not fall. Of several frames with one timestamp it names the last.
 */
export function frameAt(timestampsS, timeS) {
  let low = 0;
  let high = timestampsS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timestampsS[middle] <= timeS + STAMP_SLACK_S) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The moments at which any of the clips changes its picture, in order, none twice. */
export function changes(timestampLists) {
  const sorted = timestampLists.flat().sort((one, other) => one - other);
  const distinct = [];
  for (const stamp of sorted) {
    if (!distinct.length || stamp - distinct.at(-1) > 2 * STAMP_SLACK_S) distinct.push(stamp);
  }
  return distinct;
}

/**
 * Where to stand to see the next (direction 1) or previous (-1) picture of any clip.
 *
 * The middle of the stretch between two changes: seeking to a frame's exact timestamp may show
 * its neighbour, its middle cannot.
 */
export function stepTime(timestampLists, timeS, direction, endS) {
  const edges = changes(timestampLists);
  if (!edges.length) return timeS;
  const index = clamp(frameAt(edges, timeS) + direction, 0, edges.length - 1);
  const untilS = index + 1 < edges.length ? edges[index + 1] : Math.max(endS, edges[index]);
  return (edges[index] + untilS) / 2;
}

/** A moment of a running clock, cut to tenths: "7.3 s", or "1:07.3" from a minute on. */
export function formatTime(timeS) {
  return tenthsText(cutTenths(timeS));
}

/** A length, to the nearest tenth: "22.1 s", or "1:07.4" from a minute on. */
export function formatDuration(durationS) {
  return tenthsText(nearestTenths(durationS));
}

/** "7.3 s / 22.1 s"; at the end both figures agree. Dashes where no length is known. */
export function clockText(timeS, endS) {
  return endS ? `${tenthsText(shownTenths(timeS, endS))} / ${formatDuration(endS)}` : '– / –';
}

/** The same for ears: "7.3 of 22.1 seconds". */
export function spokenTime(timeS, endS) {
  if (!endS) return 'no length known';
  const [now, end] = [shownTenths(timeS, endS), nearestTenths(endS)];
  return `${(now / 10).toFixed(1)} of ${(end / 10).toFixed(1)} seconds`;
}

function cutTenths(timeS) {
  return Math.max(0, Math.floor(timeS * 10 + 1e-6));
}

function nearestTenths(durationS) {
  return Math.max(0, Math.floor(durationS * 10 + 0.5 + 1e-6));
}

/** A clock counts up to the end as it is written, never past it. */
function shownTenths(timeS, endS) {
  return isOver(timeS, endS) ? nearestTenths(endS) : Math.min(cutTenths(timeS), nearestTenths(endS));
}

function tenthsText(tenths) {
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  return `${Math.floor(tenths / 600)}:${seconds}`;
}
