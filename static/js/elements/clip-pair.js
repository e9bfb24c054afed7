/**
 * <clip-pair>: two server-rendered panes under one transport.
 *
 * Without this script each <video> keeps its native controls. With it the element removes them,
 * adds one bar, and hands the videos to the engine that keeps them in step.
 *
 * Attributes read once: t, rate, loop, loop-in, loop-out, swapped, autoplay (ignored under
 * prefers-reduced-motion), keys="page" (shortcuts work on the whole page; the viewer can turn
 * that off). Attributes kept up to date: playing, phase, rate, loop, swapped.
 * Requests: "clip-pair-request" with {command} from any child. News: "clip-pair-change" with the
 * state. The bar itself is clip-pair-bar.js.
 */

import { ElementsEngine } from '../engines/elements.js';
import { element, setAttribute, toggle, write } from '../lib/dom.js';
import { formatDuration } from '../lib/transport.js';
import { COMMANDS, buildBar, commandOf, seekGoal, showBar } from './clip-pair-bar.js';

const SIDES = ['a', 'b'];
const IN_STEP_MS = 34; // a frame at 30 Hz
const READOUT_EVERY_MS = 250;

export class ClipPair extends HTMLElement {
  static observedAttributes = ['swapped'];

  #engine = null;
  #parts = null;
  #clips = new Map(); // side -> what load() was given, or what the page said
  #connection = null;
  #seeking = false;
  #readoutMs = -Infinity;
  #said = '';

  connectedCallback() {
    this.#connection = new AbortController();
    this.#engine = new ElementsEngine(() => this.#render());
    if (!this.#parts) this.#build();
    this.#readAttributes();
    for (const side of SIDES) this.#adopt(side);
    this.#listen(this.#connection.signal);
    this.#render();
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (this.hasAttribute('autoplay') && !still) this.play();
  }

  disconnectedCallback() {
    this.#connection.abort();
    this.#engine.close();
    this.#engine = null;
  }

  attributeChangedCallback() {
    if (this.#engine) this.#render();
  }

  // ── requests ─────────────────────────────────────────────────────────────────────────────

  play() {
    for (const side of SIDES) this.#fetchTimestamps(side);
    this.#engine.play();
    this.#render();
  }

  pause() {
    this.#engine.pause();
    this.#render();
  }

  toggle() {
    if (this.#engine.state.playing) this.pause();
    else this.play();
  }

  /** To this transport time, in seconds; outside the clips means to their nearest end. */
  seek(timeS) {
    for (const side of SIDES) this.#fetchTimestamps(side);
    this.#engine.seek(timeS);
    this.#render();
  }

  step(direction) {
    return this.#engine.step(direction);
  }

  setRate(rate) {
    this.#engine.setRate(rate);
  }

  setLoop(change) {
    this.#engine.setLoop(change);
  }

  toggleFullScreen() {
    if (document.fullscreenElement === this) document.exitFullscreen();
    else this.requestFullscreen?.().catch(() => this.#say('Full screen is not possible here.'));
  }

  toggleHelp() {
    this.#parts.help.open = !this.#parts.help.open;
  }

  /** Runs one of COMMANDS by name. */
  command(name) {
    const command = COMMANDS[name];
    if (!command) throw new RangeError(`no command "${name}"`);
    command.run(this);
  }

  /**
   * Puts another clip on a side; the transport time stays, and playing goes on with it.
   *
   * src null means that there is no clip, missing says why. captionHtml must come from this site.
   */
  load(side, {
    id = '', src = null, poster = '', width = null, height = null, durationS = 0, frames = null,
    timestampsUrl = null, captionHtml = null, missing = '',
  }) {
    const video = this.#video(side);
    const { dataset } = video;
    dataset.clip = id;
    dataset.duration = durationS ? String(durationS) : '';
    dataset.frames = frames === null ? '' : String(frames);
    if (timestampsUrl) dataset.timestamps = timestampsUrl;
    else delete dataset.timestamps;
    if (src) delete dataset.missing;
    else dataset.missing = missing;
    if (width && height) Object.assign(video, { width, height });
    video.poster = poster ?? '';
    this.#engine.removeMember(side);
    if (src) {
      video.src = src;
    } else {
      video.removeAttribute('src');
      video.load();
    }
    const caption = this.#pane(side).querySelector('figcaption');
    if (captionHtml !== null && caption) caption.innerHTML = captionHtml;
    this.#adopt(side);
    this.#announceChange();
    this.#render();
  }

  // ── state ────────────────────────────────────────────────────────────────────────────────

  get timeS() {
    return this.#engine.now();
  }

  /** Everything a page may want to show or keep in its address. */
  get state() {
    const state = this.#engine.state;
    const ids = Object.fromEntries(SIDES.map((side) => [side, this.#clips.get(side)?.id ?? null]));
    return { ...state, ...ids, swapped: this.hasAttribute('swapped') };
  }

  // ── building ─────────────────────────────────────────────────────────────────────────────

  #build() {
    this.#parts = buildBar(this);
    this.append(this.#parts.bar);
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    if (!this.hasAttribute('aria-label')) {
      this.setAttribute('role', 'region');
      this.setAttribute('aria-label', 'Two clips in step');
    }
    for (const side of SIDES) this.#buildSlate(side);
  }

  /** The line over a picture that says why it stands still, and the board in place of one. */
  #buildSlate(side) {
    const screen = this.#pane(side)?.querySelector('.pane-screen');
    screen?.append(element('p', { class: 'pane-note', hidden: '' }),
      element('div', { class: 'pane-slate', hidden: '' }));
  }

  #readAttributes() {
    const number = (name) => {
      const value = this.getAttribute(name);
      return value === null || value.trim() === '' || !Number.isFinite(Number(value))
        ? null : Number(value);
    };
    const rate = number('rate') ?? 1;
    const loop = {
      on: this.hasAttribute('loop'), inS: number('loop-in'), outS: number('loop-out'),
    };
    this.#startAtS = number('t');
    this.#engine.setRate(rate); // from here on the attributes are written, not read
    this.#engine.setLoop(loop);
  }

  #startAtS = null;

  /** Takes over the video of a side as its attributes describe it. */
  #adopt(side) {
    const video = this.#video(side);
    const pane = this.#pane(side);
    if (!video || !pane) return;
    video.controls = false;
    video.autoplay = false;
    video.loop = false;
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    pane.toggleAttribute('data-missing', !video.hasAttribute('src'));
    this.#clips.set(side, { id: video.dataset.clip || null, timestampsUrl: null });
    if (!video.hasAttribute('src')) return;
    this.#engine.setMember(side, video, { durationS: Number(video.dataset.duration) || 0 });
    if (this.#startAtS !== null) this.#engine.startAt(this.#startAtS);
    this.#clips.get(side).timestampsUrl = video.dataset.timestamps || null;
    if (this.#engine.engaged) this.#fetchTimestamps(side);
  }

  async #fetchTimestamps(side) {
    const clip = this.#clips.get(side);
    if (!clip?.timestampsUrl || clip.fetched) return;
    clip.fetched = true;
    try {
      const answer = await fetch(clip.timestampsUrl);
      if (!answer.ok) throw new Error(`${answer.status}`);
      const timestampsS = await answer.json();
      if (this.#clips.get(side) === clip) this.#engine?.setTimestamps(side, timestampsS);
    } catch {
      clip.fetched = false; // frame steps stay off; the next play asks again
    }
    if (this.#engine) this.#render();
  }

  // ── hearing ──────────────────────────────────────────────────────────────────────────────

  #listen(signal) {
    const { seek, rate } = this.#parts;
    this.addEventListener('clip-pair-request', ({ detail }) => this.command(detail.command),
      { signal });
    this.addEventListener('click', (event) => this.#clicked(event), { signal });
    for (const name of ['pointerenter', 'focusin']) {
      this.addEventListener(name, () => this.#engine.prepare(), { signal });
    }
    document.addEventListener('keydown', (event) => this.#pressed(event), { signal });
    seek.addEventListener('input', () => this.seek(Number(seek.value)), { signal });
    seek.addEventListener('pointerdown', () => { this.#seeking = true; }, { signal });
    for (const name of ['pointerup', 'pointercancel', 'change']) {
      seek.addEventListener(name, () => { this.#seeking = false; }, { signal });
    }
    rate.addEventListener('change', () => this.setRate(Number(rate.value)), { signal });
    document.addEventListener('visibilitychange', () => this.#watchTab(), { signal });
    document.addEventListener('fullscreenchange', () => this.#render(), { signal });
    this.#watchTab();
    const watcher = new IntersectionObserver((entries) => {
      this.#engine?.suspend('off screen', !entries.at(-1).isIntersecting);
    });
    watcher.observe(this);
    signal.addEventListener('abort', () => watcher.disconnect());
  }

  #watchTab() {
    this.#engine.suspend('tab hidden', document.hidden);
  }

  #clicked({ target }) {
    if (target.closest('.pane-screen') && !target.closest('a')) {
      this.focus({ preventScroll: true });
      this.toggle();
    }
  }

  #pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = this.contains(event.target);
    const page = this.getAttribute('keys') === 'page' && event.target === document.body;
    if (!inside && !page) return;
    if (event.target === this.#parts.seek && this.#pressedOnSeek(event)) return;
    if (typesText(event.target)) return;
    const presses = event.key === ' ' && event.target.closest('button, summary, input, a, select');
    const name = commandOf(event);
    if (!name || presses) return;
    event.preventDefault();
    if (event.repeat && COMMANDS[name].toggles) return;
    this.command(name);
  }

  #pressedOnSeek(event) {
    const goalS = seekGoal(event.key, this.#engine.state);
    if (goalS === undefined && event.key !== ' ') return false;
    event.preventDefault();
    if (event.key === ' ') this.toggle();
    else this.seek(goalS);
    return true;
  }

  // ── showing ──────────────────────────────────────────────────────────────────────────────

  #render() {
    const state = this.state;
    this.#showAttributes(state);
    showBar(this.#parts, state, this.#seeking);
    for (const side of SIDES) this.#showPane(side, state);
    this.#showReadout(state);
    this.#announceChange(state);
  }

  #showAttributes(state) {
    setAttribute(this, 'phase', state.phase);
    setAttribute(this, 'rate', String(state.rate));
    toggle(this, 'playing', state.playing);
    toggle(this, 'loop', state.loop.on);
  }

  #showPane(side, state) {
    const pane = this.#pane(side);
    if (!pane) return;
    const clip = state.clips[side];
    const text = clip ? noteText(side, clip, state) : '';
    const note = pane.querySelector('.pane-note');
    write(note, text);
    toggle(note, 'hidden', !text);
    this.#showSlate(side, clip ? clip.failed && 'failed' : 'missing');
    setAttribute(pane, 'data-status', clip?.failed ? 'failed' : text ? 'waiting' : 'showing');
    toggle(pane, 'data-over', Boolean(clip?.over));
  }

  /** Where there is nothing to see: that it is so, and why or where to look. */
  #showSlate(side, kind) {
    const slate = this.#pane(side).querySelector('.pane-slate');
    const video = this.#video(side);
    const about = kind === 'missing' ? video.dataset.missing ?? '' : video.currentSrc || video.src;
    const shown = kind ? `${kind} ${about}` : '';
    if (slate.dataset.shows === shown) return;
    slate.dataset.shows = shown;
    slate.hidden = !kind;
    const lines = [];
    if (kind === 'missing') {
      lines.push(element('strong', {}, 'No clip'));
      if (about) lines.push(element('span', {}, about));
    } else if (kind) {
      lines.push(element('strong', {}, 'Could not be loaded'),
        element('span', {}, `${new URL(about).host} did not send it, or it does not play here.`),
        element('a', { href: about }, 'Open its address'));
      this.#say(`${side.toUpperCase()} could not be loaded.`);
    }
    slate.replaceChildren(...lines);
  }

  #showReadout(state) {
    const nowMs = performance.now();
    const text = this.#readoutText(state);
    const numberOnly = text.replace(/[\d.]+/g, '') === this.#said.replace(/[\d.]+/g, '');
    if (numberOnly && nowMs - this.#readoutMs < READOUT_EVERY_MS) return;
    this.#readoutMs = nowMs;
    this.#said = text;
    write(this.#parts.readout, text);
    const { offsetMs } = state;
    const step = offsetMs === null ? 'none' : offsetMs > IN_STEP_MS ? 'off' : 'in';
    setAttribute(this.#parts.readout, 'data-step', step);
  }

  #readoutText(state) {
    const all = Object.entries(state.clips);
    const sides = all.filter(([, clip]) => !clip.failed);
    if (!sides.length) return all.length ? 'could not be loaded' : 'no clip';
    if (state.blocked) return 'the browser refused to play';
    if (state.playing && state.suspended.length) return `stopped: ${state.suspended.join(', ')}`;
    if (state.playing && state.waitingFor.length) {
      return `holding for ${state.waitingFor.map((side) => side.toUpperCase()).join(' and ')}`;
    }
    const showing = sides.filter(([, clip]) => !clip.over);
    if (showing.length === 1) return `${showing[0][0].toUpperCase()} alone`;
    if (state.offsetMs === null) return state.playing ? 'starting' : 'ready';
    const offset = `${Math.round(state.offsetMs)} ms`;
    return state.offsetMs > IN_STEP_MS ? `off by ${offset}` : `in step · ${offset}`;
  }

  /** For ears, and seldom: what a picture would have told. */
  #say(text) {
    write(this.#parts.live, text);
  }

  #announced = '';

  #announceChange(state = this.state) {
    const { timeS, offsetMs, clips, phase, waitingFor, ...rest } = state;
    const over = Object.entries(clips).map(([side, clip]) => [side, clip.over, clip.failed]);
    const standsAt = rest.playing ? null : timeS;
    const key = JSON.stringify([rest, over, standsAt]);
    if (key === this.#announced) return;
    this.#announced = key;
    this.dispatchEvent(new CustomEvent('clip-pair-change', { bubbles: true, detail: state }));
  }

  #pane(side) {
    return this.querySelector(`.pane[data-side="${side}"]`);
  }

  #video(side) {
    return this.#pane(side)?.querySelector('video') ?? null;
  }
}

/** Why a picture stands still; "" while it moves or nobody asked it to. */
function noteText(side, clip, { timeS, endS, playing, waitingFor }) {
  if (clip.failed) return '';
  if (clip.over && timeS > clip.durationS - 0.005 && endS > clip.durationS) {
    return `ended at ${formatDuration(clip.durationS)}`;
  }
  return playing && waitingFor.includes(side) ? 'loading' : '';
}

function typesText(target) {
  return target.isContentEditable ||
    target.matches('textarea, select, input:not([type=range]):not([type=checkbox])');
}

customElements.define('clip-pair', ClipPair);
