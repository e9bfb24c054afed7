/**
 * Small pictures over the time bar of <clip-pair>: what the clips show at the time pointed at, from
 * their storyboards. Loaded with the first pointer or key on the bar; a decoration for eyes.
 */

import { element, toggle, write } from '../lib/dom.js';
import { tileAt, tilePlace } from '../lib/lanes.js';
import { dueFrame } from '../lib/schedule.js';
import { clamp, formatTime } from '../lib/transport.js';

const [LEAST, MOST, TILE_PX] = [2, 4, 240]; // tiles side by side, and the room that each wants
const LINGER_MS = 1500; // where no pointer stays that could leave

export class Preview {
  #pair;
  #track;
  #tiles = new Map(); // side -> {clip, box, picture}
  #time = element('span', { class: 'preview-time' });
  #row = element('div', { class: 'preview-row' });
  #box = element('div', { class: 'transport-preview', 'aria-hidden': 'true', hidden: '' },
    element('div', { class: 'preview-box' }, this.#row, this.#time));
  #timer = 0;

  constructor(pair, track, seek) {
    this.#pair = pair;
    this.#track = track;
    track.append(this.#box);
    track.addEventListener('pointermove', (event) => this.point(event));
    track.addEventListener('pointerleave', ({ pointerType }) => {
      if (pointerType === 'mouse') this.#hide(); // a finger leaves with every tap
    });
    seek.addEventListener('blur', () => this.#hide());
    seek.addEventListener('input', () => this.#show(Number(seek.value), LINGER_MS));
    seek.addEventListener('keydown', ({ key }) => {
      if (!/^(Arrow|Page|Home|End)/.test(key)) return;
      requestAnimationFrame(() => this.#show(pair.timeS, LINGER_MS)); // the pair hears it later
    });
  }

  /** What the first pointer or focus asked for while this was loading. */
  begin(event) {
    if (event.type === 'pointermove') this.point(event);
    else this.#show(this.#pair.timeS, LINGER_MS);
  }

  /** Shows what is to be seen at the time that a mouse points at. */
  point({ pointerType, clientX }) {
    if (pointerType !== 'mouse') return;
    const { left, width } = this.#track.getBoundingClientRect();
    this.#show(clamp((clientX - left) / width, 0, 1) * this.#pair.state.endS, 0);
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#box.hidden = true;
  }

  #show(timeS, forMs) {
    clearTimeout(this.#timer);
    if (forMs) this.#timer = setTimeout(() => this.#hide(), forMs);
    const { endS } = this.#pair.state;
    const most = clamp(Math.floor(this.#track.clientWidth / TILE_PX), LEAST, MOST);
    const sides = this.#pair.sides.filter((side) => this.#pair.clip(side)?.storyboard);
    if (!sides.length || !endS) return this.#hide();
    this.#build(sides.slice(0, most));
    for (const [side, { clip, picture }] of this.#tiles) {
      const [x, y] = tilePlace(tileAt(this.#ownS(side, clip, timeS), clip, clip.storyboard.tiles),
        clip.storyboard);
      picture.style.backgroundPosition = `${x}% ${y}%`;
    }
    write(this.#time, formatTime(timeS));
    this.#box.style.setProperty('--at', String(clamp(timeS / endS, 0, 1)));
    toggle(this.#box, 'hidden', false);
    return undefined;
  }

  /** The clip's own time of the frame that is due then. */
  #ownS(side, clip, timeS) {
    const schedule = this.#pair.schedule(side);
    return schedule && clip.timestampsS
      ? clip.timestampsS[dueFrame(schedule.scheduleS, timeS)] : timeS;
  }

  #build(sides) {
    const clips = sides.map((side) => this.#pair.clip(side));
    const same = sides.length === this.#tiles.size
      && sides.every((side, i) => this.#tiles.get(side)?.clip === clips[i]);
    if (same) return;
    this.#tiles = new Map(sides.map((side, i) => [side, this.#tile(side, clips[i])]));
    this.#row.replaceChildren(...[...this.#tiles.values()].map(({ picture }) => picture));
  }

  #tile(side, clip) {
    const { src, columns, rows, width, height } = clip.storyboard;
    const picture = element('span', { class: 'preview-tile', 'data-side': side },
      side.toUpperCase());
    picture.style.backgroundImage = `url("${src}")`;
    picture.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
    picture.style.aspectRatio = `${width} / ${height}`;
    return { clip, picture };
  }
}
