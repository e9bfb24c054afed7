/**
 * How two clips are laid over each other and looked at: one value, its limits, and its address.
 *
 * Pure. pan is how far the picture's middle is moved, as a share of the pane's size, before zoom;
 * align moves the second clip alone, on top of that, by shares of its own picture: panes have other
 * shapes in other windows, and the same share of them would be another place in the picture.
 */

import { RATES, clamp } from './transport.js';
import { BASES } from './schedule.js';

/** The letters of clips, in addresses and over panes; no comparison has more. */
export const SIDES = Object.freeze([...'abcdefghi']);

export const MODES = Object.freeze(['side', 'wipe', 'overlay', 'flicker', 'difference']);

/** Limits of what can be set; hz stays where flashes are harmless (WCAG 2.3.1: three a second). */
export const LIMITS = Object.freeze({
  split: { min: 0, max: 1 }, mix: { min: 0, max: 1 }, hz: { min: 0.5, max: 3 },
  gain: { min: 1, max: 32 }, zoom: { min: 1, max: 16 }, align: { min: -0.5, max: 0.5 },
});

export const PLAIN = Object.freeze({
  mode: 'side', split: 0.5, mix: 0.5, hz: 2, gain: 4, heat: false,
  zoom: 1, panX: 0, panY: 0, locked: true, alignX: 0, alignY: 0,
  of: null, // letters of the two that are laid over each other; null: the first two
});

const TWO = /^([a-i])(?!\1)[a-i]$/;

/** A view with some of its parts changed, each brought within its limits. */
export function changeView(view, change) {
  const next = { ...view, ...change };
  if (!MODES.includes(next.mode)) next.mode = view.mode;
  if (next.of !== null && !TWO.test(next.of)) next.of = view.of;
  for (const name of ['split', 'mix', 'hz', 'gain', 'zoom']) {
    next[name] = within(next[name], view[name], LIMITS[name]);
  }
  for (const name of ['alignX', 'alignY']) {
    next[name] = within(next[name], view[name], LIMITS.align);
  }
  const reach = (1 - 1 / next.zoom) / 2; // the picture's edge never comes into the pane
  const free = { min: -reach, max: reach };
  for (const name of ['panX', 'panY']) next[name] = within(next[name], 0, free) + 0;
  return next;
}

function within(value, otherwise, { min, max }) {
  return Number.isFinite(value) ? clamp(value, min, max) : otherwise;
}

/**
 * A view zoomed by a factor about a point of the pane, which stays where it is.
 *
 * The point is a share of the pane's size from its middle: -0.5 to 0.5.
 */
export function zoomAbout(view, factor, { x, y } = { x: 0, y: 0 }) {
  return pinch(view, { x, y, span: 1 }, { x, y, span: factor });
}

/**
 * A view as two fingers lead it: what was between them stays between them.
 *
 * Each {x, y, span}: the point in the middle between them, as above, and how far they are apart.
 */
export function pinch(view, from, to) {
  const zoom = clamp(view.zoom * (to.span / from.span), LIMITS.zoom.min, LIMITS.zoom.max);
  const moved = (pan, axis) => pan + to[axis] / zoom - from[axis] / view.zoom;
  return changeView(view, { zoom, panX: moved(view.panX, 'x'), panY: moved(view.panY, 'y') });
}

/**
 * A view moved by a share of the pane's size, as a finger moves the picture; fit: which share of the
 * pane the second clip's picture takes.
 */
export function panBy(view, { x, y }, fit = { x: 1, y: 1 }) {
  if (view.locked) {
    return changeView(view, { panX: view.panX + x / view.zoom, panY: view.panY + y / view.zoom });
  }
  return changeView(view, {
    alignX: view.alignX + x / view.zoom / fit.x, alignY: view.alignY + y / view.zoom / fit.y,
  });
}

// ── addresses ──────────────────────────────────────────────────────────────────────────────

const figure = (value, digits) => String(Number(value.toFixed(digits)));

/**
 * What an address says of a comparison besides its clips: [name, text or null for "leave out"].
 *
 * Times carry microseconds, so that the same frames come back.
 */
export function toAddress({ view, timeS, rate, loop, base, swapped }) {
  const moved = view.zoom > 1
    ? [view.zoom, view.panX, view.panY].map((value) => figure(value, 4)).join(',') : null;
  const aligned = view.alignX || view.alignY
    ? [view.alignX, view.alignY].map((value) => figure(value, 4)).join(',') : null;
  const part = {
    wipe: ['split', figure(view.split, 3)], overlay: ['mix', figure(view.mix, 3)],
    flicker: ['hz', figure(view.hz, 2)], difference: ['gain', figure(view.gain, 2)],
  }[view.mode] ?? [];
  return [
    ['t', timeS > 0 ? figure(timeS, 6) : null],
    ['mode', view.mode === PLAIN.mode ? null : view.mode],
    ['of', view.mode === PLAIN.mode ? null : view.of],
    ...['split', 'mix', 'hz', 'gain'].map((name) => [name, part[0] === name ? part[1] : null]),
    ['heat', view.mode === 'difference' && view.heat ? '1' : null],
    ['zoom', moved],
    ['align', aligned],
    ['base', base && base !== 'time' ? base : null],
    ['loop', loopText(loop)],
    ['rate', rate === 1 ? null : figure(rate, 3)],
    ['swap', swapped ? '1' : null],
  ];
}

function loopText({ on, inS, outS }) {
  if (!on) return null;
  return inS === null && outS === null ? 'all'
    : `${figure(inS ?? 0, 6)}-${outS === null ? 'end' : figure(outS, 6)}`;
}

/** The same read back from a URLSearchParams; what it does not say, or says wrongly, is left out. */
export function fromAddress(query) {
  const number = (name) => readNumber(query.get(name));
  const [zoom, panX, panY] = (query.get('zoom') ?? '').split(',').map(readNumber);
  const [alignX, alignY] = (query.get('align') ?? '').split(',').map(readNumber);
  const asked = {
    mode: query.get('mode') ?? PLAIN.mode, of: query.get('of'), split: number('split'), mix: number('mix'),
    hz: number('hz'), gain: number('gain'), zoom, panX, panY, alignX, alignY,
  };
  const known = Object.entries(asked).filter(([, value]) => value !== undefined);
  const view = changeView(PLAIN, { ...Object.fromEntries(known), heat: query.get('heat') === '1' });
  const found = { view, swapped: query.get('swap') === '1' };
  const timeS = number('t');
  if (timeS >= 0) found.timeS = timeS;
  const rate = number('rate');
  if (rate >= RATES.min && rate <= RATES.max) found.rate = rate;
  if (BASES.includes(query.get('base'))) found.base = query.get('base');
  const loop = readLoop(query.get('loop'));
  if (loop) found.loop = loop;
  return found;
}

function readNumber(text) {
  return text !== null && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function readLoop(text) {
  if (text === 'all') return { on: true, inS: null, outS: null };
  const [, inS, outS] = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?|end)$/.exec(text ?? '') ?? [];
  if (inS === undefined) return null;
  return { on: true, inS: Number(inS), outS: outS === 'end' ? null : Number(outS) };
}
