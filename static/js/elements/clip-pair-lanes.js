/**
 * The lanes under the timeline of <clip-pair>: a row for each clip with a number for each frame.
 * Loaded when the viewer opens them. Their axis is the timeline's, in whatever base; a press or a
 * drag seeks, and the values at the playhead stand above as text. lib/lanes.js does the sums.
 */

import { element, setAttribute, toggle, write } from '../lib/dom.js';
import { envelope, outline, quantity, scaleOf, seriesOf } from '../lib/lanes.js';
import { dueFrame } from '../lib/schedule.js';
import { clamp } from '../lib/transport.js';

const [COLUMNS, HEIGHT] = [480, 40];
const SVG = 'http://www.w3.org/2000/svg';

export class Lanes {
  #pair;
  #rows = new Map(); // side -> row
  #series = []; // that there are, {key, name, unit}
  #key = ''; // the one that is shown
  #name = element('span', { class: 'lanes-name' });
  #choice = element('select', { class: 'transport-rate', 'aria-label': 'Series', hidden: '' });
  #scale = element('span', { class: 'lanes-scale' });
  #values = element('p', { class: 'lanes-values' });
  #plot = element('div', { class: 'lanes-plot', 'aria-hidden': 'true' });
  #drawn = '';

  constructor(pair, box) {
    this.#pair = pair;
    const head = element('p', { class: 'lanes-head' }, this.#name, this.#choice, this.#scale);
    box.replaceChildren(head, this.#values, this.#plot);
    this.#choice.addEventListener('change', () => {
      this.#key = this.#choice.value;
      this.show();
    });
    this.#plot.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      this.#plot.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    this.#plot.addEventListener('pointermove', (event) => {
      if (this.#plot.hasPointerCapture(event.pointerId)) this.#seek(event);
    });
  }

  #seek({ clientX }) {
    const { left, width } = this.#plot.getBoundingClientRect();
    const share = clamp((clientX - left) / width, 0, 1);
    this.#pair.seek(share * this.#pair.state.endS);
  }

  /** Brings everything to the pair's state; called with every animation frame. */
  show(state = this.#pair.state) {
    const sides = this.#pair.sides;
    if (sides.join() !== [...this.#rows.keys()].join()) this.#build(sides);
    for (const [side, row] of this.#rows) this.#follow(side, row);
    const { timeS, endS } = state;
    this.#draw(endS);
    const at = String(endS ? clamp(timeS / endS, 0, 1) : 0);
    if (this.#plot.style.getPropertyValue('--at') !== at) this.#plot.style.setProperty('--at', at);
    const { unit } = this.#shown ?? {};
    for (const [side, row] of this.#rows) {
      const isSeen = row.values && row.schedule && !(state.clips[side]?.awaitsS > 0);
      const value = isSeen
        ? row.values[dueFrame(row.schedule.scheduleS, timeS)] : null;
      write(row.value, quantity(value, unit));
    }
  }

  get #shown() {
    return this.#series.find(({ key }) => key === this.#key);
  }

  #build(sides) {
    this.#rows = new Map(sides.map((side) => [side, this.#row(side)]));
    const rows = [...this.#rows.values()];
    this.#plot.replaceChildren(...rows.map(({ lane }) => lane), element('i', {}));
    this.#values.replaceChildren(...rows.flatMap(({ told }) => [told, ' ']));
    toggle(this.#plot, 'data-many', sides.length > 4);
    this.#drawn = '';
  }

  #row(side) {
    const letter = side.toUpperCase();
    const [svg, path] = ['svg', 'path'].map((name) => document.createElementNS(SVG, name));
    setAttribute(svg, 'viewBox', `0 0 ${COLUMNS} ${HEIGHT}`);
    setAttribute(svg, 'preserveAspectRatio', 'none');
    svg.append(path);
    const value = element('b', {}, '–');
    return {
      clip: null, series: [], values: null, schedule: null, path, value,
      lane: element('div', { class: 'lane' }, svg, element('span', {}, letter)),
      told: element('span', {}, `${letter} `, value),
    };
  }

  /** Another clip on a side has other numbers. */
  #follow(side, row) {
    const clip = this.#pair.clip(side);
    row.schedule = this.#pair.schedule(side);
    if (clip === row.clip) return;
    Object.assign(row, { clip, series: [], values: null });
    this.#gather();
    if (!clip?.src || !clip.lanesUrl) return;
    this.#pair.lanes(side).then(({ series }) => {
      if (row.clip !== clip) return;
      row.series = series;
      this.#gather();
      this.show();
    }, () => {}); // a row without numbers says so by itself
  }

  /** Which series there are now, and the one that is shown. */
  #gather() {
    this.#series = seriesOf([...this.#rows.values()]);
    if (!this.#shown) this.#key = this.#series[0]?.key ?? '';
    const several = this.#series.length > 1;
    const options = this.#series.map(({ key }) => element('option', { value: key }, key));
    this.#choice.replaceChildren(...several ? options : []);
    this.#choice.value = this.#key;
    toggle(this.#choice, 'hidden', !several);
    this.#drawn = '';
  }

  /** Draws the rows anew where numbers, schedules or the axis have changed. */
  #draw(endS) {
    const rows = [...this.#rows.values()];
    const marks = rows.map(({ schedule }) => (schedule
      ? `${schedule.scheduleS.length} ${schedule.scheduleS[1]} ${schedule.endS}` : ''));
    const drawn = [this.#key, endS, this.#pair.state.base, ...marks].join('|');
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const { name, unit } = this.#shown ?? {};
    for (const row of rows) {
      row.values = row.series.find((one) => one.name === name && one.unit === unit)?.values ?? null;
    }
    const scale = scaleOf(rows.map(({ values }) => values ?? []));
    for (const { path, values, schedule } of rows) {
      const seen = values && schedule && endS ? envelope(values, schedule, endS, COLUMNS) : [];
      setAttribute(path, 'd', outline(seen, scale, HEIGHT));
    }
    const several = this.#series.length > 1;
    write(this.#name, several ? 'Series' : name ? `${name}:` : 'nothing is known of these frames');
    const [low, high] = [scale.log ? scale.low * 1.5 : scale.low, scale.high];
    write(this.#scale, name ? `scale ${quantity(low, unit)} to ${quantity(high, unit)}${
      scale.log ? ', logarithmic' : ''}` : '');
  }
}
