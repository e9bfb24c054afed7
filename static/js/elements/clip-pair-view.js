/**
 * How <clip-pair> lays its clips over each other: the row of modes, the wipe's divider, the
 * difference, zoom and pan by hand. The view itself is one value (lib/view.js); this file writes
 * it into attributes and custom properties, and the stylesheet does the rest.
 */

import { element, setAttribute, toggle, write } from '../lib/dom.js';
import { difference } from '../lib/difference.js';
import { LIMITS, panBy, pinch, zoomAbout } from '../lib/view.js';

const DRAG_PX = 4; // a pointer that moves less has clicked
const WHEEL = 0.0022; // zoom per pixel of wheel, as an exponent
const PROPERTIES = {
  '--split': 'split', '--mix': 'mix', '--zoom': 'zoom', '--pan-x': 'panX', '--pan-y': 'panY',
  '--align-x': 'alignX', '--align-y': 'alignY',
};

/** Builds the stage over the panes and the options of the modes; parts by name. */
export function buildView(pair) {
  const split = range('stage-split', 'Where one clip ends and the other begins', LIMITS.split, 0.01);
  const canvas = element('canvas', { class: 'stage-difference', role: 'img', hidden: '' });
  setAttribute(canvas, 'aria-label', 'Difference of the two clips');
  const stage = element('div', { class: 'stage' }, canvas, split);
  const mix = range('view-range', 'Opacity of the upper clip', LIMITS.mix, 0.01);
  const hz = range('view-range', 'Changes a second', LIMITS.hz, 0.25);
  const gain = range('view-range', 'Gain', { min: 0, max: 5 }, 1);
  const heat = element('input', { type: 'checkbox', class: 'view-heat' });
  const of = ['First of the two', 'Second of the two'].map((label) => (
    element('select', { class: 'transport-rate', 'aria-label': label })));
  const told = Object.fromEntries(['mix', 'hz', 'gain'].map((name) => (
    [name, element('output', { class: 'view-told' })])));
  const legend = element('span', { class: 'view-legend', 'aria-hidden': 'true' },
    element('span', {}), element('i', {}), element('span', {}));
  const options = element('div', { class: 'view-options' },
    option('overlay', 'Opacity', mix, told.mix),
    option('flicker', 'Rate', hz, told.hz),
    element('span', { class: 'view-option view-of' }, ...of),
    option('difference', 'Gain', gain, told.gain),
    element('label', { class: 'view-option', 'data-mode': 'difference' }, heat, 'Signed heat'),
    element('span', { class: 'view-option', 'data-mode': 'difference' }, legend));
  const set = (input, change) => input.addEventListener('input', () => pair.setView(change()));
  set(split, () => ({ split: Number(split.value) }));
  set(mix, () => ({ mix: Number(mix.value) }));
  set(hz, () => ({ hz: Number(hz.value) }));
  set(gain, () => ({ gain: 2 ** Number(gain.value) }));
  set(heat, () => ({ heat: heat.checked }));
  // Who is chosen for both places changes places with the other.
  of.forEach((one, i) => one.addEventListener('change', () => {
    const two = [...pair.two];
    if (two[1 - i] === one.value) two[1 - i] = two[i];
    two[i] = one.value;
    pair.setView({ of: two.join('') });
  }));
  return { stage, canvas, split, mix, hz, gain, heat, told, legend, options, of };
}

function range(name, label, { min, max }, step) {
  return element('input', { type: 'range', class: name, 'aria-label': label, min, max, step });
}

function option(mode, label, ...children) {
  return element('label', { class: 'view-option', 'data-mode': mode },
    element('span', {}, label), ...children);
}

/** Writes the view where the stylesheet and the controls find it; two: who is laid over whom. */
export function showView(pair, parts, view, { sides, two, swapped }) {
  const [under, over] = swapped ? [...two].reverse() : two;
  for (const pane of pair.querySelectorAll(':scope > .pane')) {
    const place = two.indexOf(pane.dataset.side);
    if (place < 0) delete pane.dataset.laid;
    else setAttribute(pane, 'data-laid', ['first', 'second'][place]);
  }
  parts.of.forEach((one, i) => {
    if (one.options.length !== sides.length) {
      one.replaceChildren(...sides.map((value) => element('option', { value }, value.toUpperCase())));
    }
    if (one.value !== two[i]) one.value = two[i];
  });
  setAttribute(pair, 'mode', view.mode);
  toggle(pair, 'zoomed', view.zoom > 1);
  toggle(pair, 'pixelated', view.zoom >= 3);
  toggle(pair, 'unlocked', !view.locked);
  toggle(pair, 'heat', view.heat);
  for (const [name, key] of Object.entries(PROPERTIES)) property(pair, name, String(view[key]));
  property(pair, '--period', `${1 / view.hz}s`);
  const percent = (share) => `${Math.round(share * 100)} %`;
  const [left, right] = [under, over ?? under].map((side) => side.toUpperCase());
  say(parts.split, view.split, `${left} ${percent(view.split)}, ${right} ${percent(1 - view.split)}`);
  say(parts.mix, view.mix, percent(view.mix), parts.told.mix);
  say(parts.hz, view.hz, `${view.hz} Hz`, parts.told.hz);
  say(parts.gain, Math.log2(view.gain), `${view.gain}×`, parts.told.gain);
  if (parts.heat.checked !== view.heat) parts.heat.checked = view.heat;
  const [first, , last] = parts.legend.children;
  write(first, `${two[0].toUpperCase()} lighter`);
  write(last, `${(two[1] ?? two[0]).toUpperCase()} lighter`);
}

function say(input, value, text, output = null) {
  if (Number(input.value) !== value) input.value = String(value);
  setAttribute(input, 'aria-valuetext', text);
  if (output) write(output, text);
}

function property(target, name, value) {
  if (target.style.getPropertyValue(name) !== value) target.style.setProperty(name, value);
}

// ── the difference ─────────────────────────────────────────────────────────────────────────

/** Draws the difference of two pictures, the second brought to the first one's size and place. */
export class Differ {
  #pens = [null, null];
  #read = [null, null]; // the pixels of both, as they were drawn last
  #out = null;

  /**
   * Canvases or videos; null for a picture that is not there yet. Those that are not `changed` are
   * the same as at the last drawing, and where they lie is, too.
   */
  draw(canvas, [a, b], view, changed = [true, true]) {
    const size = a && sizeOf(a);
    canvas.hidden = !size || !b || !sizeOf(b);
    if (canvas.hidden) {
      this.#read = [null, null];
      return;
    }
    const [width, height] = size;
    if (canvas.width !== width || canvas.height !== height || !this.#out) {
      Object.assign(canvas, { width, height });
      this.#pens = this.#pens.map(() => pen(width, height));
      this.#read = [null, null];
      this.#out = new ImageData(width, height);
    }
    const [first, second] = this.#pens;
    if (changed[0] || !this.#read[0]) {
      first.drawImage(a, 0, 0, width, height);
      this.#read[0] = first.getImageData(0, 0, width, height).data;
    }
    if (changed[1] || !this.#read[1]) {
      second.fillRect(0, 0, width, height);
      const fit = contain(sizeOf(b), size);
      second.drawImage(b, fit.x + view.alignX * fit.width, fit.y + view.alignY * fit.height,
        fit.width, fit.height);
      this.#read[1] = second.getImageData(0, 0, width, height).data;
    }
    difference(...this.#read, this.#out.data, view);
    canvas.getContext('2d', { alpha: false }).putImageData(this.#out, 0, 0);
  }
}

function pen(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  return canvas.getContext('2d', { alpha: false, willReadFrequently: true });
}

/** Width and height of a picture; null while there is none. */
export function sizeOf(picture) {
  const size = picture.videoWidth === undefined
    ? [picture.width, picture.height] : [picture.videoWidth, picture.videoHeight];
  return size[0] && size[1] ? size : null;
}

/** As object-fit: contain lays a picture into a box. */
export function contain([width, height], [wide, high]) {
  const scale = Math.min(wide / width, high / height);
  return {
    x: (wide - width * scale) / 2, y: (high - height * scale) / 2,
    width: width * scale, height: height * scale,
  };
}

// ── hands ──────────────────────────────────────────────────────────────────────────────────

/** Tells the stylesheet, as --fit-x and --fit-y, which share of its pane a clip's picture takes. */
export const fits = () => new ResizeObserver((entries) => {
  for (const { target, contentRect: { width, height } } of entries) {
    const video = target.querySelector('video');
    const fit = contain([video.width || 1, video.height || 1], [width, height]);
    property(target.parentElement, '--fit-x', String(share(fit.width, width)));
    property(target.parentElement, '--fit-y', String(share(fit.height, height)));
  }
});

const share = (part, whole) => Number((part / whole).toFixed(4)) || 1;

/** The same as the script reads it of the second clip. */
function fitOf(pair) {
  const { style } = pair.querySelector('[data-laid="second"]') ?? pair;
  const [x, y] = ['x', 'y'].map((axis) => Number(style.getPropertyValue(`--fit-${axis}`)) || 1);
  return { x, y };
}

/** Where a screen's picture may be: all of it but the strip below. */
function placeOf(screen) {
  const { left, top, width, height } = screen.getBoundingClientRect();
  return { left, top, width, height: height - parseFloat(getComputedStyle(screen).paddingBottom) };
}

/** Zoom by two fingers or Ctrl and wheel, pan by dragging; a drag is no click. */
export function listenForHands(pair, signal) {
  let drag = null;
  const fingers = new Map(); // on pictures, by the pointer's id: their latest events
  let place = null; // of the picture under two of them
  const screenOf = ({ target }) => target.closest?.('.pane-screen, .stage');
  const isControl = ({ target }) => target.matches('input, a, button');
  const shares = ({ clientX, clientY }, { left, top, width, height }) => ({
    x: (clientX - left) / width - 0.5, y: (clientY - top) / height - 0.5,
  });
  const grip = () => {
    const [one, other] = [...fingers.values()];
    const middle = {
      clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2,
    };
    const span = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    return { ...shares(middle, place), span: Math.max(span, 1) };
  };
  pair.addEventListener('wheel', (event) => {
    const screen = screenOf(event);
    if (!screen || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const about = shares(event, placeOf(screen));
    pair.setView(zoomAbout(pair.view, Math.exp(-event.deltaY * WHEEL), about));
  }, { signal, passive: false });
  // One finger scrolls the page as everywhere; two on a picture are held back from doing so.
  pair.addEventListener('touchstart', (event) => {
    if (event.touches.length > 1 && event.cancelable && screenOf(event) && !isControl(event)) {
      event.preventDefault();
    }
  }, { signal, passive: false });
  pair.addEventListener('pointerdown', (event) => {
    const screen = screenOf(event);
    if (!screen || event.button || isControl(event)) return;
    if (event.isPrimary) fingers.clear(); // whoever was left was lost with what it was on
    if (event.pointerType === 'touch') fingers.set(event.pointerId, event);
    place = placeOf(screen);
    const movable = pair.view.zoom > 1 || !pair.view.locked;
    drag = movable && fingers.size < 2 ? { id: event.pointerId, at: event, moved: 0 } : null;
  }, { signal });
  pair.addEventListener('pointermove', (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = grip();
      fingers.set(event.pointerId, event);
      pair.setView(pinch(pair.view, before, grip()));
      return;
    }
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (drag?.id !== event.pointerId) return;
    const [x, y] = [event.clientX - drag.at.clientX, event.clientY - drag.at.clientY];
    drag.moved += Math.abs(x) + Math.abs(y);
    drag.at = event;
    if (drag.moved < DRAG_PX) return;
    if (!pair.hasPointerCapture(event.pointerId)) pair.setPointerCapture(event.pointerId);
    pair.setView(panBy(pair.view, { x: x / place.width, y: y / place.height }, fitOf(pair)));
  }, { signal });
  let dragged = false;
  for (const name of ['pointerup', 'pointercancel']) {
    pair.addEventListener(name, ({ pointerId }) => {
      dragged = drag?.moved >= DRAG_PX || fingers.size > 1;
      fingers.delete(pointerId);
      drag = null;
      setTimeout(() => { dragged = false; }, 0);
    }, { signal });
  }
  pair.addEventListener('click', (event) => {
    if (dragged) event.stopImmediatePropagation();
  }, { capture: true, signal });
}
