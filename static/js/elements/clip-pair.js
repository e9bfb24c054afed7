/**
 * <clip-pair>: server-rendered panes, two to nine, under one transport; load() adds further ones.
 *
 * Without this script each <video> keeps its native controls. With it the element removes them,
 * adds one bar, and hands the clips to an engine that keeps them in step: engines/frames.js, exact
 * to the frame, where the browser decodes frames for scripts and the clips are this site's own;
 * else, or where that fails, engines/elements.js, which steers the <video> elements.
 *
 * Attributes read once: t, rate, loop, loop-in, loop-out, swapped, autoplay (ignored under
 * prefers-reduced-motion), engine="elements" (never the exact one), keys="page" (shortcuts work on
 * the whole page; the viewer can turn that off). Attributes kept up to date: playing, phase, rate,
 * base, loop, swapped, data-engine ("frames" or "elements").
 * Requests: "clip-pair-request" with {command} from any child. News: "clip-pair-change" with the
 * state. The bar itself is clip-pair-bar.js.
 */

import { FramesEngine, isPossible } from '../engines/frames.js';
import { Painter } from '../engines/painter.js';
import { element, setAttribute, style, toggle, write } from '../lib/dom.js';
import { FAILURES, causeOf, sentence } from '../lib/failures.js';
import { describe } from '../lib/panes.js';
import { formatDuration } from '../lib/transport.js';
import { PLAIN, changeView, fromAddress, toAddress, zoomAbout } from '../lib/view.js';
import {
  BASE_NAMES, COMMANDS, buildBar, commandOf, listText, seekGoal, showBar,
} from './clip-pair-bar.js';
import { Differ, buildView, fits, listenForHands, showView } from './clip-pair-view.js';

const IN_STEP_MS = 34; // a frame at 30 Hz
const READOUT_EVERY_MS = 250;
const LANES_STYLE = new URL('../../css/elements/clip-pair-lanes.css', import.meta.url);
let ElementsEngine = null; // engines/elements.js, once something needs it
const NUMBERS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'];

export class ClipPair extends HTMLElement {
  static observedAttributes = ['swapped'];

  #engine = null;
  #painter = null; // of the exact engine; null while another drives
  #unfit = new Map(); // id of a clip -> why the exact engine cannot show it
  #parts = null;
  #view = PLAIN;
  #lens = null; // the parts of the view
  #differ = new Differ();
  #fits = fits();
  #base = 'time';
  #asked = 0; // requests that a late step gives way to
  #clips = new Map(); // side -> what load() was given, or what the page said
  #connection = null;
  #seeking = false;
  #readoutMs = -Infinity;
  #said = '';

  connectedCallback() {
    this.#connection = new AbortController();
    if (!this.#parts) this.#build();
    for (const side of this.#sides) this.#look(side);
    this.#start();
    this.#readAttributes();
    if (this.#exact === Boolean(this.#painter)) for (const side of this.#sides) this.#hand(side);
    else this.#change();
    if (this.dataset.view) this.restore(new URLSearchParams(this.dataset.view));
    this.#listen(this.#connection.signal);
    this.#showView();
    this.#render();
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (this.hasAttribute('autoplay') && !still) this.play();
  }

  disconnectedCallback() {
    this.#connection.abort();
    this.#stop();
  }

  attributeChangedCallback() {
    if (!this.#engine) return;
    this.#showView();
    this.#render();
  }

  // ── requests ─────────────────────────────────────────────────────────────────────────────

  play() {
    this.#asked += 1;
    for (const side of this.#sides) this.#fetchTimestamps(side);
    this.#engine.play();
    this.#render();
  }

  pause() {
    this.#asked += 1;
    this.#goOn = false;
    this.#engine.pause();
    this.#render();
  }

  toggle() {
    if (this.#engine.state.playing) this.pause();
    else this.play();
  }

  /** To this transport time, in seconds; outside the clips means to their nearest end. */
  seek(timeS) {
    this.#asked += 1;
    for (const side of this.#sides) this.#fetchTimestamps(side);
    this.#engine.seek(timeS);
    this.#render();
  }

  /** To the next (1) or previous (-1) picture; once the times of all are here, where they are not. */
  async step(direction) {
    const { clips } = this.#engine.state;
    const untimed = this.#sides.filter((side) => clips[side] && !clips[side].failed
      && this.#clips.get(side).timestampsUrl && !this.#clips.get(side).timestampsS);
    if (untimed.length) {
      const asked = this.#asked;
      await Promise.all(untimed.map((side) => this.#fetchTimestamps(side)));
      if (asked !== this.#asked) return undefined; // something else was asked for since
    }
    return this.#engine?.step(direction);
  }

  setRate(rate) {
    this.#engine.setRate(rate);
  }

  setLoop(change) {
    this.#engine.setLoop(change);
  }

  /** Loops from here on; an end that is not after it is let go. */
  loopFrom(inS) {
    const { outS } = this.state.loop;
    this.setLoop({ on: true, inS, ...outS !== null && outS <= inS && { outS: null } });
  }

  /** Loops up to here; a beginning that is not before it is let go. */
  loopTo(outS) {
    const { inS } = this.state.loop;
    this.setLoop({ on: true, outS, ...inS !== null && inS >= outS && { inS: null } });
  }

  /** How the clips are laid over each other and looked at: lib/view.js. */
  get view() {
    return this.#view;
  }

  /** Changes parts of the view; a mode that needs pictures fetches them. */
  setView(change) {
    const before = this.#view;
    this.#view = changeView(before, change);
    if (this.#view.mode !== before.mode && this.#view.mode !== 'side') this.#wantPictures();
    this.#showView();
    this.#announceChange();
  }

  zoom(factor) {
    this.setView(zoomAbout(this.#view, factor));
  }

  /** Which moments of the clips belong together: one of lib/schedule.js's BASES. */
  setBase(base) {
    const refused = !this.#engine.setBase ? 'The exact engine alone can do that.'
      : !this.#engine.setBase(base) && 'A clip does not say how fast it was made.';
    if (refused) this.#tell(refused);
    else this.#base = base;
    return this.#render();
  }

  /** The query that brings this comparison back, but for its clips: [name, text or null]. */
  get address() {
    return toAddress({ ...this.state, view: this.#view });
  }

  /** Takes over what an address says: lib/view.js's fromAddress. */
  restore(query) {
    const { view, timeS, rate, loop, base, swapped } = fromAddress(query);
    toggle(this, 'swapped', swapped);
    if (rate) this.setRate(rate);
    if (loop) this.setLoop(loop);
    if (base) {
      this.#base = base;
      this.#engine.setBase?.(base);
    }
    if (timeS !== undefined) {
      this.#engine.startAt(timeS);
      this.seek(timeS);
    }
    this.setView(view);
  }

  /** Letters of the two clips that a mode lays over each other, the second one over the first. */
  get two() {
    return this.#twoOf(this.#engine.state);
  }

  #twoOf({ clips }) {
    const sides = this.#sides;
    const asked = [...this.#view.of ?? ''];
    if (asked.length && asked.every((side) => sides.includes(side))) return asked;
    const live = sides.filter((side) => clips[side] && !clips[side].failed);
    return (live.length > 1 ? live : sides).slice(0, 2);
  }

  /** Whether two are seen over each other, or there are no more than two. */
  get ofTwo() {
    return this.#view.mode !== 'side' || this.#sides.length === 2;
  }

  /** The address of this very view, on the page that data-compare names. */
  get link() {
    return this.#on(this.dataset.compare);
  }

  /** What shows this very view in a frame of another page. */
  get frame() {
    const [width, height = ''] = (this.dataset.frame ?? '').split('x');
    const title = [...this.querySelectorAll('video')].map((one) => one.ariaLabel).join(', ');
    return element('iframe', {
      src: this.#on(this.dataset.embed), width, height, title, loading: 'lazy',
      allow: 'fullscreen; clipboard-write',
    }).outerHTML;
  }

  #on(page = '') {
    const address = new URL(page, location.href);
    for (const side of this.#sides) {
      const { id } = this.#clips.get(side) ?? {};
      if (id) address.searchParams.set(side, id);
    }
    for (const [name, text] of this.address) {
      if (text === null) address.searchParams.delete(name);
      else address.searchParams.set(name, text);
    }
    address.hash = '';
    return address.href;
  }

  copyLink() {
    return this.#copy(this.link, 'Link copied: it leads to these very frames.',
      'Pause: then the address bar has the link.');
  }

  copyFrame() {
    return this.#copy(this.frame, 'Code copied: it embeds these very frames.', '');
  }

  async #copy(text, done, otherwise) {
    try {
      await navigator.clipboard.writeText(text);
      this.#tell(done);
    } catch {
      this.#tell(`The browser did not let us copy. ${otherwise}`.trim());
    }
  }

  async savePicture() {
    try {
      const { viewPicture } = await import('./clip-pair-picture.js');
      const order = [...this.ofTwo ? this.two : this.#sides];
      if (this.ofTwo && this.hasAttribute('swapped')) order.reverse();
      const clips = order.map((side) => ({
        side, picture: this.picture(side), lines: this.#captionLines(side),
        aligned: side === this.two[1],
        slate: this.#isAwaited(side) && awaitedText(this.state.clips[side]),
      }));
      const { timeS, base, rate } = this.state;
      const foot = [`${timeS.toFixed(3)} s, ${BASE_NAMES[base]}, ${rate}×, ${this.#view.mode}`,
        this.link];
      const { canvas } = this.#lens;
      const difference = canvas.hidden ? null : canvas;
      const blob = await viewPicture({ view: this.#view, clips, difference, foot });
      const address = URL.createObjectURL(blob);
      const ids = order.map((side) => this.#clips.get(side)?.id).filter(Boolean);
      const name = ids.length > 3 ? `${ids[0]}_and_${ids.length - 1}_more` : ids.join('_');
      element('a', { href: address, download: `${name}_${timeS.toFixed(3)}s.png` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      this.#tell('Picture saved.');
    } catch (error) {
      this.#tell(`No picture: ${error.message}.`);
    }
  }

  /** What the page says of a clip, in two lines. */
  #captionLines(side) {
    const text = (which) => this.#pane(side).querySelector(which)?.textContent.trim()
      .replace(/\s+/g, ' ') ?? '';
    return [[text('.pane-title'), text('.pane-fps')].filter(Boolean).join(' · '),
      [text('.pane-sub'), text('.pane-clock')].filter(Boolean).join(' · ')];
  }

  /** For eyes and ears, for a while. */
  #tell(text) {
    this.#say(text);
    const { told } = this.#parts;
    write(told, text);
    clearTimeout(this.#tellingTimer);
    this.#tellingTimer = setTimeout(() => write(told, ''), 4000);
  }

  #tellingTimer = 0;

  #wantPictures() {
    if (!this.#engine.engaged) this.seek(this.timeS);
  }

  toggleFullScreen() {
    if (document.fullscreenElement === this) document.exitFullscreen();
    else this.requestFullscreen?.().catch(() => this.#say('Full screen is not possible here.'));
  }

  toggleHelp() {
    const { help } = this.#parts;
    help.open = !help.open;
    if (!help.open) return this.focus({ preventScroll: true });
    help.querySelector('summary').focus({ preventScroll: true });
    return help.scrollIntoView({ block: 'nearest' });
  }

  /** Runs one of COMMANDS by name. */
  command(name) {
    const command = COMMANDS[name];
    if (!command) throw new RangeError(`no command "${name}"`);
    if (command.ofTwo && !this.ofTwo) return this.#tell(`${command.label}: with two clips.`);
    return command.run(this);
  }

  /**
   * Puts another clip on a side; the transport time stays, and playing goes on with it. A side
   * that has no pane yet gets one after the others.
   *
   * `clip` as for `describe`; captionHtml must come from this site.
   */
  load(side, { captionHtml = null, ...clip }) {
    if (!this.#pane(side)) this.#addPane(side);
    this.#asked += 1;
    const video = this.#video(side);
    this.#engine.removeMember(side);
    this.#painter?.detach(side);
    describe(video, clip);
    if (!clip.src) video.load();
    const caption = this.#pane(side).querySelector('figcaption');
    if (captionHtml !== null && caption) caption.innerHTML = captionHtml;
    this.#look(side);
    if (this.#exact === Boolean(this.#painter)) this.#hand(side);
    else this.#change();
    this.#showView();
    this.#announceChange();
    this.#render();
  }

  /** Takes a clip and its pane away. */
  unload(side) {
    const video = this.#video(side);
    if (!video) return;
    this.#engine.removeMember(side);
    this.#painter?.detach(side);
    video.removeAttribute('src');
    video.load();
    this.#pane(side).remove();
    this.#clips.delete(side);
    this.#name();
    if (this.#exact !== Boolean(this.#painter)) this.#change();
    this.#showView();
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
    const ids = Object.fromEntries(this.#sides.map((side) => [side, this.#clips.get(side)?.id ?? null]));
    return { base: 'time', ...state, ...ids, swapped: this.hasAttribute('swapped') };
  }

  /** What an engine failed at, by clip; empty where the exact one shows all. */
  get unfit() {
    return Object.fromEntries(this.#unfit);
  }

  // ── engines ──────────────────────────────────────────────────────────────────────────────

  /** Whether every clip at hand can be shown by the exact engine. */
  get #exact() {
    if (this.getAttribute('engine') === 'elements' || !isPossible()) return false;
    return [...this.#clips.values()].every((clip) => (
      !clip.src || (clip.timestampsUrl && clip.isOurs && !this.#unfit.has(clip.src))));
  }

  #start() {
    if (this.#exact || !ElementsEngine) {
      this.#painter = new Painter();
      this.#engine = new FramesEngine({
        changed: () => this.#render(),
        paint: (changes) => this.#painted(changes),
        failed: (failure) => this.#failed(failure),
      });
    } else {
      this.#engine = new ElementsEngine(() => this.#render());
    }
    setAttribute(this, 'data-engine', this.#painter ? 'frames' : 'elements');
  }

  #stop() {
    this.#engine.close();
    this.#painter?.close();
    this.#engine = null;
    this.#painter = null;
  }

  /** Another engine takes over where this one stands, at once where it is loaded. */
  async #change() {
    if (!this.#exact && !ElementsEngine) {
      await loadElements().catch(() => this.#tell('The player for these clips did not load.'));
    }
    const fits = this.#exact === Boolean(this.#painter);
    if (!this.#engine || fits || (!this.#exact && !ElementsEngine)) return;
    const { rate, loop, playing, suspended } = this.#engine.state;
    const timeS = this.#startAtS ?? this.#engine.state.timeS;
    const { engaged } = this.#engine;
    this.#stop();
    this.#start();
    this.#engine.setRate(rate);
    this.#engine.setLoop(loop);
    this.#engine.startAt(timeS);
    this.#startAtS = null;
    for (const side of this.#sides) this.#hand(side);
    for (const reason of suspended) this.#engine.suspend(reason, true);
    if (engaged && (playing || this.#goOn)) this.play();
    else if (engaged) this.seek(timeS);
    else this.#render();
    this.#goOn = false;
  }

  #goOn = false; // the next engine plays, because the one before it did when it failed

  /** A clip that the exact engine cannot show: what <video> might show too is left to it. */
  async #failed({ id, kind, text }) {
    if (kind !== 'undecodable' && kind in FAILURES) return; // no other engine would fare better
    const sides = id === null ? this.#sides : [id];
    const sources = sides.map((side) => this.#clips.get(side)?.src).filter(Boolean);
    this.#goOn ||= this.#engine.state.playing; // an engine without clips plays no longer
    // What no <video> opens either is lost alone: the others stay exact.
    if (kind === 'undecodable' && !await opens(sources[0])) {
      this.#goOn = false;
      return;
    }
    for (const src of sources) this.#unfit.set(src, { kind, text });
    queueMicrotask(() => {
      if (this.#painter && this.#engine && !this.#exact) this.#change();
    });
  }

  // ── building ─────────────────────────────────────────────────────────────────────────────

  #build() {
    this.#parts = buildBar(this);
    this.#lens = buildView(this);
    this.append(this.#lens.stage, this.#parts.bar);
    this.#parts.view.insertBefore(this.#lens.options, this.#parts.view.lastChild);
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    if (!this.hasAttribute('aria-label')) {
      this.setAttribute('role', 'region');
      this.#named = true;
      this.#name();
    }
    for (const side of this.#sides) this.#buildSlate(side);
  }

  #named = false; // by this element, not by the page

  #name() {
    if (this.#named) this.setAttribute('aria-label', `${NUMBERS[this.#sides.length]} clips in step`);
  }

  #addPane(side) {
    const video = element('video', { preload: 'none', width: 512, height: 288 });
    const pane = element('figure', { class: 'pane', 'data-side': side },
      element('div', { class: 'pane-screen' }, video), element('figcaption'));
    this.#pane(this.#sides.at(-1)).after(pane);
    this.#buildSlate(side);
    this.#name();
  }

  /** The line over a picture that says why it stands still, and the board in place of one. */
  #buildSlate(side) {
    const screen = this.#pane(side)?.querySelector('.pane-screen');
    screen?.append(element('span', { class: 'pane-tag', 'aria-hidden': 'true' }, side.toUpperCase()),
      element('span', { class: 'pane-clock' },
        ...['b', 'span', 'span', 'i'].map((name) => element(name, {}))),
      element('p', { class: 'pane-note', hidden: '' }),
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
  #look(side) {
    const video = this.#video(side);
    const pane = this.#pane(side);
    if (!video || !pane) return;
    video.controls = false;
    video.autoplay = false;
    video.loop = false;
    video.muted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    const src = video.getAttribute('src') && video.src;
    pane.toggleAttribute('data-missing', !src);
    this.#fits.unobserve(video.parentElement); // so that it looks anew
    this.#fits.observe(video.parentElement);
    this.#clips.set(side, {
      id: video.dataset.clip || null,
      src: src || null,
      isOurs: Boolean(src) && isOurs(src),
      durationS: Number(video.dataset.duration) || 0,
      fps: Number(video.dataset.fps) || null,
      timestampsUrl: video.dataset.timestamps || null,
      timestampsS: null,
      fetching: null, // promise of its times
      lanesUrl: video.dataset.lanes || null,
      lanes: null, // promise of them
      recorded: 'arrivals' in video.dataset,
      arrivalsS: null,
      storyboard: boardOf(video.dataset),
    });
  }

  get sides() {
    return this.#sides;
  }

  /** What is known of the clip on a side; another value once another clip is there. */
  clip(side) {
    return this.#clips.get(side) ?? null;
  }

  /** When the frames of a side appear in the present base, {scheduleS, endS}; null: not known. */
  schedule(side) {
    const { timestampsS, durationS } = this.clip(side) ?? {};
    return (this.#engine?.schedule ? this.#engine.schedule(side)
      : timestampsS && { scheduleS: timestampsS, endS: durationS }) ?? null;
  }

  /** Numbers of each frame of a side, as published: {series, arrivals_s}. Asked for once. */
  lanes(side) {
    const clip = this.clip(side);
    clip.lanes ??= fetchJson(clip.lanesUrl).catch((error) => {
      clip.lanes = null;
      throw error;
    });
    this.#fetchTimestamps(side);
    return clip.lanes;
  }

  /** Gives the clip of a side to the engine. */
  #hand(side) {
    const video = this.#video(side);
    const clip = this.#clips.get(side);
    if (!video || !clip?.src) return;
    const { src, durationS, timestampsS, fps, arrivalsS, recorded } = clip;
    if (this.#painter) {
      this.#painter.attach(side, video);
      this.#engine.setMember(side, { src, durationS, timestampsS, fps, arrivalsS, recorded });
    } else {
      this.#engine.setMember(side, video, { durationS, timestampsS });
    }
    if (this.#startAtS !== null) this.#engine.startAt(this.#startAtS);
    if (this.#base !== 'time') this.#engine.setBase?.(this.#base);
    if (this.#engine.engaged) this.#fetchTimestamps(side);
  }

  /** Asks for the times of a clip's frames, once; done when they are here or did not come. */
  #fetchTimestamps(side) {
    const clip = this.#clips.get(side);
    if (clip?.timestampsUrl) {
      clip.fetching ??= Promise.resolve().then(() => this.#takeTimestamps(side, clip));
    }
    return clip?.fetching;
  }

  async #takeTimestamps(side, clip) {
    try {
      const [timestampsS, lanes] = await Promise.all([fetchJson(clip.timestampsUrl),
        clip.recorded && clip.lanesUrl ? this.lanes(side).catch(() => null) : null]);
      Object.assign(clip, { timestampsS, arrivalsS: lanes?.arrivals_s ?? null });
      if (this.#clips.get(side) === clip) {
        this.#engine?.setTimestamps(side, timestampsS, clip.arrivalsS);
      }
    } catch (error) {
      clip.fetching = null; // the next play asks again
      if (this.#clips.get(side) === clip && this.#painter) {
        // Without an answer no other engine would fare better.
        if (error instanceof TypeError) this.#engine.lose(side, 'unreachable', error.message);
        else this.#failed({ id: side, kind: 'untimed', text: error.message });
      }
    }
    if (this.#engine) this.#render();
  }

  // ── hearing ──────────────────────────────────────────────────────────────────────────────

  #listen(signal) {
    const { seek, rate } = this.#parts;
    this.addEventListener('clip-pair-request', ({ detail }) => this.command(detail.command),
      { signal });
    listenForHands(this, signal);
    this.addEventListener('click', (event) => this.#clicked(event), { signal });
    for (const name of ['pointerenter', 'focusin']) {
      this.addEventListener(name, () => this.#prepare(), { signal });
    }
    document.addEventListener('keydown', (event) => this.#pressed(event), { signal });
    seek.addEventListener('input', () => this.seek(Number(seek.value)), { signal });
    seek.addEventListener('pointerdown', () => { this.#seeking = true; }, { signal });
    for (const name of ['pointerup', 'pointercancel', 'change']) {
      seek.addEventListener(name, () => { this.#seeking = false; }, { signal });
    }
    rate.addEventListener('change', () => this.setRate(Number(rate.value)), { signal });
    this.#parts.base.addEventListener('change', () => this.setBase(this.#parts.base.value),
      { signal });
    this.#parts.lanes.addEventListener('toggle', () => this.#openLanes(), { signal });
    for (const name of ['pointermove', 'focusin']) {
      this.#parts.track.addEventListener(name, (event) => this.#preview(event), { signal, once: true });
    }
    document.addEventListener('visibilitychange', () => this.#watchTab(), { signal });
    document.addEventListener('fullscreenchange', () => this.#render(), { signal });
    this.#watchTab();
    const watcher = new IntersectionObserver((entries) => {
      this.#engine?.suspend('off screen', !entries.at(-1).isIntersecting);
    });
    watcher.observe(this);
    const measure = new ResizeObserver(([{ target }]) => {
      this.style.setProperty('--bar', `${target.offsetHeight}px`);
    });
    measure.observe(this.#parts.bar);
    signal.addEventListener('abort', () => measure.disconnect());
    signal.addEventListener('abort', () => watcher.disconnect());
  }

  #prepare() {
    if (this.#painter) for (const side of this.#sides) this.#fetchTimestamps(side);
    this.#engine.prepare();
  }

  #lanes = null;
  #tiles = null;

  async #openLanes() {
    const { lanes } = this.#parts;
    const [{ Lanes }] = await Promise.all([import('./clip-pair-lanes.js'), style(LANES_STYLE)]);
    this.#lanes ??= new Lanes(this, lanes.querySelector('.lanes'));
    if (this.#engine) this.#render();
  }

  /** Small pictures over the time bar, from the first pointer or key on it. */
  async #preview(event) {
    const [{ Preview }] = await Promise.all(
      [import('./clip-pair-preview.js'), style(LANES_STYLE)]);
    this.#tiles ??= new Preview(this, this.#parts.track, this.#parts.seek);
    this.#tiles.begin(event);
  }

  #watchTab() {
    this.#engine.suspend('tab hidden', document.hidden);
  }

  #clicked({ target }) {
    if (target.closest('.pane-screen') && !target.closest('a, button')) {
      this.focus({ preventScroll: true });
      this.toggle();
    }
  }

  #pressed(event) {
    if (this.inert || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = this.contains(event.target);
    const page = this.getAttribute('keys') === 'page' && event.target === document.body;
    if (!inside && !page) return;
    if (event.target === this.#parts.seek && this.#pressedOnSeek(event)) return;
    if (event.key === 'Escape' && this.#parts.help.open) {
      this.toggleHelp();
      return;
    }
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
    if (this.#twoOf(state).join('') === this.#laid) this.#showBar(state);
    else this.#showView();
    if (!this.#painter && this.#view.mode === 'difference') this.#drawDifference();
    for (const side of this.#sides) this.#showPane(side, state);
    if (this.#parts.lanes.open) this.#lanes?.show(state);
    this.#showReadout(state);
    write(this.#parts.inexact, this.#lessThanExact);
    toggle(this.#parts.inexact, 'hidden', !this.#lessThanExact);
    this.#announceChange(state);
  }

  #painted(changes) {
    this.#painter?.paint(changes);
    if (this.#view.mode !== 'difference') return;
    const changed = this.two.map((side) => changes.some(({ id }) => id === side));
    if (changed.includes(true)) this.#drawDifference(changed);
  }

  #drawDifference(changed) {
    const pictures = this.two.map((side) => this.picture(side));
    this.#differ.draw(this.#lens.canvas, pictures, this.#view, changed);
  }

  /** What is seen of a side: a canvas or a video; null while nothing is. */
  picture(side) {
    if (this.#isAwaited(side)) return null;
    if (this.#painter) {
      const canvas = this.#painter.canvas(side);
      return canvas && !canvas.hidden ? canvas : null;
    }
    const video = this.#video(side);
    return video?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? video : null;
  }

  /** Whether the slate stands over a first frame that is not due yet. */
  #isAwaited(side) {
    return this.#pane(side).querySelector('.pane-slate').dataset.kind === 'awaited';
  }

  #showView() {
    if (!this.#lens || !this.#engine) return;
    const { two, state } = this;
    this.#laid = two.join('');
    showView(this, this.#lens, this.#view, {
      sides: this.#sides, two, swapped: this.hasAttribute('swapped'),
    });
    if (this.#view.mode === 'difference') this.#drawDifference();
    this.#showBar(state);
  }

  #laid = ''; // the two that the stylesheet was told of

  #showBar(state) {
    showBar(this.#parts, { ...state, view: this.#view, exact: Boolean(this.#painter),
      two: [...this.#laid], ofTwo: this.ofTwo,
      steps: [...this.#clips.values()].some(({ timestampsUrl }) => timestampsUrl) }, this.#seeking);
  }

  #showAttributes(state) {
    setAttribute(this, 'phase', state.phase);
    setAttribute(this, 'rate', String(state.rate));
    setAttribute(this, 'base', state.base);
    toggle(this, 'playing', state.playing);
    toggle(this, 'loop', state.loop.on);
  }

  #showPane(side, state) {
    const pane = this.#pane(side);
    if (!pane) return;
    const clip = state.clips[side];
    const text = clip ? noteText(side, clip, state) : '';
    const clock = pane.querySelector('.pane-clock');
    const { dataset } = this.#video(side);
    const live = state.base === 'live' && Number(dataset.fps);
    const reading = clip && !clip.failed
      ? clockReading(clip, Number(dataset.frames) || null, live) : ['', '', '', ''];
    [...clock.children].forEach((part, i) => write(part, reading[i]));
    const note = pane.querySelector('.pane-note');
    write(note, text);
    toggle(note, 'hidden', !text);
    const { awaitsS = null } = clip ?? {};
    const kind = !clip ? 'none' : clip.failed ? this.#cause(side, clip) : awaitsS !== null && 'awaited';
    this.#showSlate(side, kind, state);
    setAttribute(pane, 'data-status', clip?.failed ? 'failed' : text ? 'waiting' : 'showing');
    toggle(pane, 'data-over', Boolean(clip?.over));
  }

  /** Why a clip failed. A <video> does not say: until the server did, nobody knows. */
  #cause(side, { failure }) {
    if (failure) return failure.kind;
    const clip = this.#clips.get(side);
    if (!clip.cause) {
      clip.cause = 'failed';
      causeOf(clip, this.#video(side).error).then((kind) => {
        if (clip.cause) clip.cause = kind; // unless it is tried again by now
        if (this.#engine) this.#render();
      });
    }
    return clip.cause;
  }

  /** Where there is nothing to see: that it is so, why, what plays on, and what can be done. */
  #showSlate(side, kind, { clips }) {
    const slate = this.#pane(side).querySelector('.pane-slate');
    const video = this.#video(side);
    const clip = this.#clips.get(side);
    const about = kind === 'none' ? video.dataset.missing ?? ''
      : kind === 'awaited' ? awaitedText(clips[side]) : clip.address ?? clip.src;
    const sound = Object.keys(clips).filter((one) => !clips[one].failed);
    const others = sound.length ? listText(sound) : '';
    const shown = kind ? `${kind} ${about} ${others}` : '';
    if (slate.dataset.shows === shown) return;
    slate.dataset.shows = shown;
    slate.hidden = !kind;
    setAttribute(slate, 'data-kind', kind || '');
    if (this.#view.mode === 'difference') this.#drawDifference();
    const lines = [];
    if (kind === 'awaited' || kind === 'none') {
      lines.push(element('strong', {}, kind === 'none' ? 'No clip' : 'No frame yet'));
      if (about) lines.push(element('span', {}, about));
    } else if (kind) {
      const again = element('button', { type: 'button', class: 'pane-again' }, 'Try again');
      again.addEventListener('click', () => this.#tryAgain(side));
      const what = sentence(kind, about);
      const download = kind === 'undecodable' && clip.isOurs;
      lines.push(element('strong', {}, 'Could not be loaded'), element('span', {}, what));
      if (others) lines.push(element('span', {}, `${others} can be played without it.`));
      lines.push(again, element('a', { href: about, ...(download && { download: '' }) },
        download ? 'Download the file' : 'Open its address'));
      if (kind !== 'failed') this.#say(`${side.toUpperCase()} could not be loaded. ${what}`);
    }
    slate.replaceChildren(...lines);
  }

  #tryAgain(side) {
    const { timeS, playing } = this.#engine.state;
    const clip = this.#clips.get(side);
    this.#unfit.delete(clip.src);
    clip.cause = null;
    if (clip.isOurs) { // what was wrong may be kept: not only servers can be at fault
      const fresh = new URL(clip.address ??= clip.src);
      fresh.searchParams.set('again', String(Date.now()));
      clip.src = fresh.href;
    }
    this.#engine.removeMember(side);
    this.#painter?.detach(side);
    this.#video(side).src = clip.src;
    if (this.#exact === Boolean(this.#painter)) this.#hand(side);
    else this.#change();
    this.focus({ preventScroll: true });
    if (playing) this.play();
    else this.seek(timeS);
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

  /** That and why the exact engine does not drive; "" where it does. */
  get #lessThanExact() {
    if (this.#painter) return '';
    const why = this.#whyInexact();
    return why && `Your browser's own players, in step but not exact to the frame: ${why}.`;
  }

  #whyInexact() {
    if (this.getAttribute('engine') === 'elements') return '';
    if (!isPossible()) return 'it does not decode frames for scripts';
    for (const [side, clip] of this.#clips) {
      const letter = side.toUpperCase();
      const unfit = this.#unfit.get(clip.src);
      if (unfit?.kind === 'untimed') return `the times of the frames of ${letter} did not load`;
      if (unfit) return `${letter} did not decode here (${unfit.text})`;
      if (clip.src && !clip.isOurs) return `${letter} comes from another site`;
      if (clip.src && !clip.timestampsUrl) return `the frames of ${letter} are not known`;
    }
    return '';
  }

  #readoutText(state) {
    const all = Object.entries(state.clips);
    const sides = all.filter(([, clip]) => !clip.failed);
    if (!sides.length) return all.length ? 'could not be loaded' : 'no clip';
    if (state.blocked) return 'the browser refused to play';
    if (state.playing && state.suspended.length) return `stopped: ${state.suspended.join(', ')}`;
    if (state.playing && state.waitingFor.length) {
      return `holding for ${listText(state.waitingFor)}`;
    }
    const showing = sides.filter(([, clip]) => !clip.over);
    if (showing.length === 1) return `${showing[0][0].toUpperCase()} alone`;
    if (state.offsetMs === null) return state.playing ? 'starting' : 'ready';
    if (state.exact) return 'exact to the frame';
    const offset = `${Math.round(state.offsetMs)} ms`;
    return state.offsetMs > IN_STEP_MS ? `off by ${offset}` : `in step · ${offset}`;
  }

  /** For ears, and seldom: what a picture would have told. */
  #say(text) {
    write(this.#parts.live, text);
  }

  #announced = '';

  #announceChange(state = this.state) {
    const { timeS, shownS, lap, offsetMs, clips, phase, waitingFor, ...rest } = state;
    const over = Object.entries(clips).map(([side, clip]) => [side, clip.over, clip.failed]);
    const standsAt = rest.playing ? null : timeS;
    const key = JSON.stringify([rest, over, standsAt, this.#view]);
    if (key === this.#announced) return;
    this.#announced = key;
    this.dispatchEvent(new CustomEvent('clip-pair-change', { bubbles: true, detail: state }));
  }

  get #sides() {
    return [...this.querySelectorAll(':scope > .pane')].map(({ dataset }) => dataset.side);
  }

  #pane(side) {
    return this.querySelector(`.pane[data-side="${side}"]`);
  }

  #video(side) {
    return this.#pane(side)?.querySelector('video') ?? null;
  }
}

/**
 * A clip's own time and frame, counted from 0 as in tables and on test cards; of which; and the
 * rate at which they stand in the file, or as live (false, or the FPS stated) at which they come.
 */
function clockReading({ shownS, frame, durationS, endS, arrivals }, frames, live) {
  const inFile = frames && durationS ? `${mean(frames, durationS)} fps` : '';
  const asMade = arrivals ? `arrivals: mean ${mean(frames, endS)} FPS`
    : live ? `at the stated ${live} FPS` : '';
  const rate = live === false ? inFile : asMade;
  const then = rate && ' · ';
  if (frame === null || shownS === null) {
    return frames ? [`${frames} frames`, '', then, rate] : ['', '', '', rate];
  }
  const of = frames ? ` of 0–${frames - 1}` : '';
  return [`${shownS.toFixed(3)} s · frame ${frame}`, of, then, rate];
}

const mean = (frames, lengthS) => (frames / lengthS).toFixed(1);

/** As live: how long nothing is to be seen of a clip. */
const awaitedText = ({ awaitsS }) => `First frame after ${awaitsS.toFixed(1)} s`;

/** The storyboard that a video's data name; null where there is none. */
function boardOf({ storyboard, tiles: said }) {
  if (!storyboard) return null;
  const [columns, rows, tiles, width, height] = said.split(' ').map(Number);
  return { src: new URL(storyboard, document.baseURI).href, columns, rows, tiles, width, height };
}

async function fetchJson(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** Why a picture stands still; "" while it moves or nobody asked it to. */
function noteText(side, clip, { timeS, endS, playing, waitingFor }) {
  if (clip.failed) return '';
  const clipEndS = clip.endS ?? clip.durationS;
  if (clip.over && timeS > clipEndS - 0.005 && endS > clipEndS) {
    return `ended at ${formatDuration(clipEndS)}`;
  }
  return playing && waitingFor.includes(side) ? 'loading' : '';
}

const isOurs = (src) => new URL(src).origin === location.origin;

async function loadElements() {
  ({ ElementsEngine } = await import('../engines/elements.js'));
}

/** Whether the exact engine cannot show all that the page gives a pair. */
function needsElements(pair) {
  return pair.getAttribute('engine') === 'elements'
    || [...pair.querySelectorAll('.pane video[src]')]
      .some((video) => video.getAttribute('src') && !(video.dataset.timestamps && isOurs(video.src)));
}

/** Whether a <video> makes anything of an address. */
function opens(src) {
  const video = Object.assign(document.createElement('video'), { muted: true, preload: 'auto' });
  return new Promise((done) => {
    const tell = (isSo) => () => {
      done(isSo);
      video.removeAttribute('src');
      video.load();
    };
    video.addEventListener('loadeddata', tell(true), { once: true });
    video.addEventListener('error', tell(false), { once: true });
    video.src = src;
  });
}

function typesText(target) {
  return target.isContentEditable ||
    target.matches('textarea, select, input:not([type=range]):not([type=checkbox])');
}

// What is on the page begins with the engine that it needs.
if (!isPossible() || [...document.querySelectorAll('clip-pair')].some(needsElements)) {
  await loadElements();
}
customElements.define('clip-pair', ClipPair);
