/**
 * Numbers of each frame under a timeline: which stand where, how high, and in which words; and
 * which tile of a storyboard shows a moment.
 *
 * Pure. A lane is drawn over transport time, so it takes the clip's schedule in the present base
 * (lib/schedule.js). Null is a number that nobody recorded.
 */

import { dueFrame } from './schedule.js';

const WIDE = 20; // values further apart than this are told apart on a logarithmic scale only
const BELOW = 1.5; // such a scale begins this much below its least value, which then has a height

/**
 * The highest value in each of so many equal parts of totalS; null where no frame with a value is
 * to be seen. A frame counts in every part that it is on screen in, however shortly, so no peak is
 * lost.
 */
export function envelope(values, { scheduleS, endS }, totalS, columns) {
  const highest = Array(columns).fill(null);
  const place = (timeS) => (timeS / totalS) * columns;
  values.forEach((value, index) => {
    if (value === null || !(totalS > 0)) return;
    const from = Math.min(columns - 1, Math.floor(place(scheduleS[index]) + 1e-9));
    const to = Math.ceil(place(scheduleS[index + 1] ?? endS) - 1e-9);
    for (let column = from; column < Math.max(from + 1, Math.min(to, columns)); column += 1) {
      highest[column] = Math.max(highest[column] ?? -Infinity, value);
    }
  });
  return highest;
}

/** One scale for all lists: from 0, or logarithmic where values lie far apart. */
export function scaleOf(lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (const value of list) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return { log: false, low: 0, high: 1 };
  if (low > 0 && high / low >= WIDE) return { log: true, low: low / BELOW, high };
  [low, high] = [Math.min(0, low), Math.max(0, high)];
  return { log: false, low, high: high > low ? high : low + 1 };
}

/** How high a value stands on a scale: 0 to 1. */
export function heightOn({ log, low, high }, value) {
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** The outline of an envelope as an SVG path, a unit wide for each part and `height` high. */
export function outline(highest, scale, height) {
  let path = '';
  let open = false;
  highest.forEach((value, column) => {
    if (value === null) {
      if (open) path += `V${height}Z`;
      open = false;
      return;
    }
    const y = Math.round(10 * height * (1 - heightOn(scale, value))) / 10;
    path += open ? `V${y}H${column + 1}` : `M${column} ${height}V${y}H${column + 1}`;
    open = true;
  });
  return open ? `${path}V${height}Z` : path;
}

/** "12.3 kbit", "41 ms", "0.914"; a dash for what was not recorded. */
export function quantity(value, unit) {
  if (value === null || value === undefined) return '–';
  let [figure, name] = [value, unit];
  if (unit === 'bit' && value >= 1000) {
    [figure, name] = value < 999_500 ? [value / 1e3, 'kbit'] : [value / 1e6, 'Mbit'];
  }
  const short = Math.abs(figure) < 1000 ? Number(figure.toPrecision(3)) : Math.round(figure);
  return `${short}${name === '%' ? ' %' : name && ` ${name}`}`;
}

/** Name and unit of every series that any of the clips has, each once, in their order. */
export function seriesOf(clips) {
  const found = new Map();
  for (const { series } of clips) {
    for (const { name, unit } of series) {
      const key = unit && unit !== 'bit' ? `${name} [${unit}]` : name;
      if (!found.has(key)) found.set(key, { key, name, unit });
    }
  }
  return [...found.values()];
}

/**
 * The tile of a storyboard that shows a clip's own time: tile i is a frame from the middle of its
 * i-th part, by time; by number where some frame is on screen for more than one part.
 */
export function tileAt(timeS, { timestampsS, durationS }, tiles) {
  const part = (share) => Math.min(tiles - 1, Math.max(0, Math.floor(share * tiles + 1e-9)));
  if (!timestampsS) return part(timeS / durationS);
  const middles = Array.from({ length: tiles }, (_, i) => ((i + 0.5) / tiles) * durationS);
  const byTime = new Set(middles.map((middleS) => dueFrame(timestampsS, middleS))).size === tiles;
  return part(byTime ? timeS / durationS : dueFrame(timestampsS, timeS) / timestampsS.length);
}

/** Where a tile stands on its sheet, as CSS wants it of a background: percentages. */
export function tilePlace(tile, { columns, rows }) {
  const share = (at, of) => (of > 1 ? (100 * at) / (of - 1) : 0);
  return [share(tile % columns, columns), share(Math.floor(tile / columns), rows)];
}
