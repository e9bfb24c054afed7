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
 * state. Geometry is the stylesheet's; this file sets only --position, --common, --loop-in/out.
 */

import { ElementsEngine } from '../engines/elements.js';
import { clamp, formatTime } from '../lib/transport.js';

const SIDES = ['a', 'b'];
const JUMP_S = 1;
const NUDGE_S = 0.1;
const RATE_STEPS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];
const IN_STEP_MS = 34; // a frame at 30 Hz
const READOUT_EVERY_MS = 250;

/** Every command: its keys, its name, its icon (a path in a 24 x 24 box), and what it does. */
export const COMMANDS = Object.freeze({
  toggle: {
    keys: [' ', 'k'], label: 'Play', pressedLabel: 'Pause',
    icon: 'M8 5v14l11-7z', pressedIcon: 'M7 5h4v14H7zM13 5h4v14h-4z',
    run: (pair) => pair.toggle(),
  },
  back: {
    keys: ['j'], label: 'Back 1 second', icon: 'M12 6l-8 6 8 6zM20 6l-8 6 8 6z',
    run: (pair) => pair.seek(pair.timeS - JUMP_S),
  },
  previous: {
    keys: [','], label: 'Previous frame', icon: 'M6 6h3v12H6zM19 6l-9 6 9 6z',
    needs: 'timestamps', run: (pair) => pair.step(-1),
  },
  next: {
    keys: ['.'], label: 'Next frame', icon: 'M5 6l9 6-9 6zM15 6h3v12h-3z',
    needs: 'timestamps', run: (pair) => pair.step(1),
  },
  forward: {
    keys: ['l'], label: 'Forward 1 second', icon: 'M4 6l8 6-8 6zM12 6l8 6-8 6z',
    run: (pair) => pair.seek(pair.timeS + JUMP_S),
  },
  'loop-in': {
    keys: ['['], label: 'Loop from here', icon: 'M9 4h6v3h-3v10h3v3H9z',
    run: (pair) => pair.setLoop({ inS: pair.timeS, on: true }),
  },
  loop: {
    keys: ['o'], label: 'Loop', toggles: 'loop',
    icon: 'M7 7h9V4l5 5-5 5v-3H9v3H5V9a2 2 0 0 1 2-2zM17 17H8v3l-5-5 5-5v3h7v-1h4v3a2 2 0 0 1-2 2z',
    run: (pair) => pair.setLoop({ on: !pair.state.loop.on }),
  },
  'loop-out': {
    keys: [']'], label: 'Loop to here', icon: 'M15 4H9v3h3v10H9v3h6z',
    run: (pair) => pair.setLoop({ outS: pair.timeS, on: true }),
  },
  swap: {
    keys: ['x'], label: 'Swap sides', toggles: 'swapped',
    icon: 'M8 4l-5 5 5 5v-4h13V8H8zM16 20l5-5-5-5v4H3v2h13z',
    run: (pair) => pair.toggleAttribute('swapped'),
  },
  full: {
    keys: ['f'], label: 'Full screen', icon: 'M4 4h7v2H6v5H4zM20 20h-7v-2h5v-5h2zM13 4h7v7h-2V6h-5zM11 20H4v-7h2v5h5z',
    run: (pair) => pair.toggleFullScreen(),
  },
  help: {
    keys: ['?'], label: 'Keys', hidden: true, run: (pair) => pair.toggleHelp(),
  },
});

const KEY_NAMES = { ' ': 'space' };
const commandByKey = new Map(
  Object.entries(COMMANDS).flatMap(([name, { keys }]) => keys.map((key) => [key, name])),
);

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
   * src null means that the clip is missing. captionHtml must come from this site.
   */
  load(side, {
    id = '', src = null, poster = '', width = null, height = null, durationS = 0, frames = null,
    timestampsUrl = null, captionHtml = null,
  }) {
    const video = this.#video(side);
    const { dataset } = video;
    dataset.clip = id;
    dataset.duration = durationS ? String(durationS) : '';
    dataset.frames = frames === null ? '' : String(frames);
    if (timestampsUrl) dataset.timestamps = timestampsUrl;
    else delete dataset.timestamps;
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
    const bar = element('div', { class: 'transport', role: 'group', 'aria-label': 'Player' });
    const buttons = Object.fromEntries(
      Object.entries(COMMANDS)
        .filter(([, command]) => !command.hidden)
        .map(([name, command]) => [name, commandButton(name, command)]),
    );
    const seek = element('input', {
      type: 'range', class: 'transport-seek', min: '0', max: '0', step: 'any', value: '0',
      'aria-label': 'Time',
    });
    const track = element('div', { class: 'transport-track' }, seek);
    const time = element('span', { class: 'transport-time' });
    const rate = element('select', { class: 'transport-rate', 'aria-label': 'Speed' },
      ...RATE_STEPS.map((step) => option(step)));
    const readout = element('span', { class: 'transport-readout' });
    const span = element('span', { class: 'transport-span' });
    const live = element('span', { class: 'transport-live', role: 'status' });
    const help = helpPanel(this);
    const row = element('div', { class: 'transport-row' },
      group('transport-play', buttons.toggle, buttons.back, buttons.previous, buttons.next,
        buttons.forward),
      time, readout,
      group('transport-loop', buttons['loop-in'], buttons.loop, buttons['loop-out']),
      element('label', { class: 'transport-speed' }, element('span', {}, 'Speed'), rate),
      group('transport-view', buttons.swap, buttons.full));
    bar.append(track, row, element('div', { class: 'transport-foot' }, span, help), live);
    this.append(bar);
    this.#parts = { bar, buttons, seek, track, time, rate, readout, span, live, help };
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    if (!this.hasAttribute('aria-label')) {
      this.setAttribute('role', 'region');
      this.setAttribute('aria-label', 'Two clips in step');
    }
    for (const side of SIDES) this.#buildNote(side);
  }

  /** The line over a picture that says why it stands still. */
  #buildNote(side) {
    const screen = this.#pane(side)?.querySelector('.pane-screen');
    screen?.append(element('p', { class: 'pane-note', hidden: '' }));
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
    if (target.closest('.pane-screen')) {
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
    const name = commandByKey.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!name || presses) return;
    event.preventDefault();
    if (event.repeat && COMMANDS[name].toggles) return;
    this.command(name);
  }

  #pressedOnSeek(event) {
    const state = this.#engine.state;
    const goals = {
      ArrowLeft: state.timeS - NUDGE_S, ArrowDown: state.timeS - NUDGE_S,
      ArrowRight: state.timeS + NUDGE_S, ArrowUp: state.timeS + NUDGE_S,
      PageDown: state.timeS - JUMP_S, PageUp: state.timeS + JUMP_S,
      Home: 0, End: state.endS, ' ': null,
    };
    if (!(event.key in goals)) return false;
    event.preventDefault();
    if (event.key === ' ') this.toggle();
    else this.seek(goals[event.key]);
    return true;
  }

  // ── showing ──────────────────────────────────────────────────────────────────────────────

  #render() {
    const state = this.state;
    this.#showAttributes(state);
    this.#showBar(state);
    for (const side of SIDES) this.#showNote(side, state);
    this.#showReadout(state);
    this.#announceChange(state);
  }

  #showAttributes(state) {
    setAttribute(this, 'phase', state.phase);
    setAttribute(this, 'rate', String(state.rate));
    toggle(this, 'playing', state.playing);
    toggle(this, 'loop', state.loop.on);
  }

  #showBar(state) {
    const { seek, buttons, time, rate, track, span } = this.#parts;
    const { timeS, endS, commonS, loop } = state;
    setAttribute(seek, 'max', String(endS));
    if (!this.#seeking) seek.value = String(timeS);
    setAttribute(seek, 'aria-valuetext', `${timeS.toFixed(1)} of ${endS.toFixed(1)} seconds`);
    write(time, `${formatTime(timeS)} / ${formatTime(endS)}`);
    if (rate.value !== String(state.rate)) showRate(rate, state.rate);
    const share = (value) => String(endS ? clamp(value / endS, 0, 1) : 0);
    const properties = {
      '--position': share(timeS), '--common': commonS ? share(commonS) : '1',
      '--loop-in': share(loop.inS ?? 0), '--loop-out': share(loop.outS ?? endS),
    };
    for (const [name, value] of Object.entries(properties)) {
      if (track.style.getPropertyValue(name) !== value) track.style.setProperty(name, value);
    }
    write(span, this.#spanText(state));
    const steps = Object.values(state.clips).some(({ stepsFrames }) => stepsFrames);
    for (const [name, button] of Object.entries(buttons)) {
      const command = COMMANDS[name];
      const pressed = name === 'toggle' ? state.playing : this.hasAttribute(command.toggles ?? '-');
      showButton(button, command, pressed);
      button.disabled = (command.needs === 'timestamps' && !steps) || !endS;
    }
  }

  #spanText({ endS, commonS, clips }) {
    const longer = Object.entries(clips).find(([, clip]) => clip.durationS > commonS + 0.05);
    if (!longer || !commonS) return commonS ? `Both clips: ${formatTime(commonS)}` : '';
    return `Common ${formatTime(commonS)}, then ${longer[0].toUpperCase()} alone to ` +
      `${formatTime(endS)}`;
  }

  #showNote(side, state) {
    const pane = this.#pane(side);
    const note = pane?.querySelector('.pane-note');
    if (!note) return;
    const clip = state.clips[side];
    let text = '';
    if (clip?.failed) text = 'This clip could not be loaded.';
    else if (clip?.over && state.timeS > clip.durationS - 0.005 && state.endS > clip.durationS) {
      text = `ended at ${formatTime(clip.durationS)}`;
    } else if (state.playing && state.waitingFor.includes(side)) text = 'loading';
    write(note, text);
    toggle(note, 'hidden', !text);
    setAttribute(pane, 'data-status', clip?.failed ? 'failed' : text ? 'waiting' : 'showing');
    toggle(pane, 'data-over', Boolean(clip?.over));
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
    const sides = Object.entries(state.clips).filter(([, clip]) => !clip.failed);
    if (!sides.length) return 'no clip';
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

// ── small hands ────────────────────────────────────────────────────────────────────────────

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function group(name, ...children) {
  return element('div', { class: name }, ...children);
}

function option(rate) {
  const made = element('option', { value: String(rate) }, `${rate}×`);
  made.defaultSelected = rate === 1;
  return made;
}

/** Shows a rate that may be none of the steps. */
function showRate(select, rate) {
  const listed = [...select.options].some((one) => one.value === String(rate));
  if (!listed) select.append(option(rate));
  select.value = String(rate);
}

const SVG = 'http://www.w3.org/2000/svg';

function commandButton(name, command) {
  const button = element('button', {
    type: 'button', class: 'transport-button', 'data-command': name,
    'aria-keyshortcuts': command.keys.map((key) => (key === ' ' ? 'Space' : key)).join(' '),
  });
  const icon = document.createElementNS(SVG, 'svg');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  icon.append(document.createElementNS(SVG, 'path'));
  button.append(icon);
  button.addEventListener('click', () => {
    const detail = { command: name };
    button.dispatchEvent(new CustomEvent('clip-pair-request', { bubbles: true, detail }));
  });
  return button;
}

function showButton(button, command, pressed) {
  const label = (pressed && command.pressedLabel) || command.label;
  setAttribute(button, 'aria-label', label);
  setAttribute(button, 'title', `${label} (${command.keys.map(keyName).join(' or ')})`);
  setAttribute(button.querySelector('path'), 'd',
    (pressed && command.pressedIcon) || command.icon);
  if (command.toggles) setAttribute(button, 'aria-pressed', String(pressed));
}

function keyName(key) {
  return KEY_NAMES[key] ?? key;
}

/** The table of keys, and the switch that keeps them from acting on the whole page. */
function helpPanel(pair) {
  const list = element('dl', { class: 'transport-keys' });
  for (const { keys, label } of Object.values(COMMANDS)) {
    const names = keys.map((key) => element('kbd', {}, keyName(key)));
    list.append(element('div', {}, element('dt', {}, ...names), element('dd', {}, label)));
  }
  list.append(element('div', {}, element('dt', {}, element('kbd', {}, '← →')),
    element('dd', {}, 'On the time bar: a tenth of a second')));
  const everywhere = element('input', { type: 'checkbox' });
  everywhere.checked = pair.getAttribute('keys') === 'page';
  everywhere.addEventListener('change', () => {
    if (everywhere.checked) pair.setAttribute('keys', 'page');
    else pair.removeAttribute('keys');
  });
  return element('details', { class: 'transport-help' },
    element('summary', {}, 'Keys'), list,
    element('label', {}, everywhere, ' Keys work anywhere on this page'));
}

function typesText(target) {
  return target.isContentEditable ||
    target.matches('textarea, select, input:not([type=range]):not([type=checkbox])');
}

function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

function toggle(target, name, isSo) {
  if (target.hasAttribute(name) !== isSo) target.toggleAttribute(name, isSo);
}

function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

customElements.define('clip-pair', ClipPair);
