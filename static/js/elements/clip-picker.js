/**
 * <clip-picker data-clips="clips.json" for="ID">: two comboboxes that choose the clips of the
 * <clip-pair> inside the element with that id.
 *
 * The choice stands in the address as ?a=&b= (replaceState), with the view and the moment. Clips that cannot be played are
 * listed, marked, and put "No clip" with the reason into the pane. Where the panes are swapped,
 * so are the lists: A stays over A. All words about a clip come from clips.json.
 */

import { element, toggle } from '../lib/dom.js';
import { caption, rate, span } from '../lib/panes.js';
import './clip-pair.js';

const SIDES = ['a', 'b'];
const SHOWN_AT_MOST = 200;
const KEEP_EVERY_MS = 300;

export class ClipPicker extends HTMLElement {
  #connection = null;
  #clips = [];
  #byId = new Map();
  #chosen = { a: null, b: null };
  #open = null;

  async connectedCallback() {
    this.#connection = new AbortController();
    const source = new URL(this.dataset.clips, document.baseURI);
    try {
      const answer = await fetch(source, { signal: this.#connection.signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      this.#clips = (await answer.json()).map((clip) => ({ ...clip, words: wordsOf(clip) }));
    } catch (error) {
      if (error.name !== 'AbortError') this.#say('The list of clips did not load.');
      return;
    }
    this.root = new URL('../', source); // clips.json stands in data/
    this.#byId = new Map(this.#clips.map((clip) => [clip.id, clip]));
    for (const side of SIDES) this.#listen(side);
    this.#followSwap();
    const query = new URLSearchParams(location.search); // before anything is kept there
    this.#readAddress(query);
    this.#pair.restore(query);
    this.#pair.addEventListener('clip-pair-change', () => this.#keepSoon(),
      { signal: this.#connection.signal });
    // What is typed before this would be lost, so the page is written with the fields disabled.
    for (const side of SIDES) this.#input(side).disabled = false;
  }

  disconnectedCallback() {
    this.#connection.abort();
  }

  get #pair() {
    return document.getElementById(this.getAttribute('for'))?.querySelector('clip-pair');
  }

  #followSwap() {
    const pair = this.#pair;
    const follow = () => toggle(this, 'swapped', pair.hasAttribute('swapped'));
    pair.addEventListener('clip-pair-change', follow, { signal: this.#connection.signal });
    follow();
  }

  #input(side) {
    return this.querySelector(`.picker[data-side="${side}"] input`);
  }

  #list(side) {
    return this.querySelector(`.picker[data-side="${side}"] [role="listbox"]`);
  }

  #readAddress(query) {
    for (const side of SIDES) {
      const asked = query.get(side);
      const preset = this.#pair.querySelector(`[data-side="${side}"] video`)?.dataset.clip;
      if (asked && this.#byId.has(asked)) {
        if (asked === preset) this.#chosen[side] = asked;
        else this.choose(side, asked);
      } else {
        if (asked) this.#say(`${side.toUpperCase()}: no clip is called ${asked}.`, side);
        this.#chosen[side] = preset ?? null;
      }
      this.#write(side);
    }
  }

  /** Puts a clip on a side, by id. */
  choose(side, id) {
    const clip = this.#byId.get(id);
    if (!clip) return;
    const { media } = clip;
    this.#chosen[side] = id;
    this.#pair.load(side, {
      id,
      src: media ? this.#address(media.src) : null,
      poster: media ? this.#address(media.poster) : '',
      width: media?.width ?? null,
      height: media?.height ?? null,
      durationS: media?.duration_s ?? 0,
      frames: media?.frames ?? null,
      fps: clip.fps,
      timestampsUrl: media?.timestamps ? this.#address(media.timestamps) : null,
      lanesUrl: media?.lanes ? this.#address(media.lanes) : null,
      recorded: media?.arrivals ?? false,
      storyboard: media?.storyboard
        ? { ...media.storyboard, src: this.#address(media.storyboard.src) } : null,
      captionHtml: this.#caption(side, clip),
      missing: clip.missing ?? '',
    });
    this.#write(side);
    this.#keep(true);
    const what = media ? clip.title : `no clip. ${clip.missing ?? ''}`.trim();
    this.#say(`${side.toUpperCase()}: ${what}`, side, Boolean(media));
  }

  #address(path) {
    return new URL(path, this.root).href;
  }

  #caption(side, clip) {
    return element('div', {}, ...caption(side, clip, this.root)).innerHTML;
  }

  #write(side) {
    this.#input(side).value = this.#byId.get(this.#chosen[side])?.title ?? '';
  }

  /** Browsers let a page change its address only so often. */
  #keepSoon() {
    this.#keeping ??= setTimeout(() => {
      this.#keeping = null;
      if (!this.#connection.signal.aborted) this.#keep();
    }, KEEP_EVERY_MS);
  }

  #keeping = null;

  /** A bare address stays bare until a clip is chosen or the view is no longer the plain one. */
  #keep(chosen = false) {
    const address = new URL(location.href);
    const pair = this.#pair;
    if (!chosen && !address.search && pair.address.every(([, text]) => text === null)) return;
    for (const side of SIDES) {
      if (this.#chosen[side]) address.searchParams.set(side, this.#chosen[side]);
    }
    for (const [name, text] of pair.address) {
      if (name === 't' && pair.state.playing) continue;
      if (text === null) address.searchParams.delete(name);
      else address.searchParams.set(name, text);
    }
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  /** About one side, or about both; what eyes see below anyway is for ears only. */
  #say(text, side = 'both', forEars = false) {
    const line = this.querySelector(`.picker-status [data-about="${side}"]`);
    line.textContent = text;
    line.classList.toggle('visually-hidden', forEars);
  }

  // ── the list of one side ─────────────────────────────────────────────────────────────────

  #listen(side) {
    const { signal } = this.#connection;
    const input = this.#input(side);
    const list = this.#list(side);
    input.addEventListener('focus', () => { input.select(); this.#show(side, ''); }, { signal });
    input.addEventListener('click', () => this.#open || this.#show(side, ''), { signal });
    input.addEventListener('input', () => this.#show(side, input.value), { signal });
    input.addEventListener('blur', () => { this.#hide(side); this.#write(side); }, { signal });
    input.addEventListener('keydown', (event) => this.#pressed(side, event), { signal });
    // pointerdown would take the focus, and with it the list, away before the click.
    list.addEventListener('pointerdown', (event) => event.preventDefault(), { signal });
    list.addEventListener('click', (event) => {
      const option = event.target.closest('[role="option"]');
      if (option) this.#take(side, option);
    }, { signal });
  }

  #show(side, typed) {
    const wanted = wantedWords(typed);
    const found = this.#clips.filter(({ words }) => (
      wanted.every((part) => words.some((word) => word.startsWith(part)))));
    const list = this.#list(side);
    list.replaceChildren(...found.slice(0, SHOWN_AT_MOST).map((clip) => this.#option(side, clip)));
    if (!found.length) list.append(element('li', { class: 'pick-none' }, 'No clip matches.'));
    list.hidden = false;
    this.#open = side;
    this.#input(side).setAttribute('aria-expanded', 'true');
    const current = list.querySelector('[data-current]') ?? list.querySelector('[role="option"]');
    this.#mark(side, typed ? list.querySelector('[role="option"]') : current);
  }

  #hide(side) {
    this.#list(side).hidden = true;
    this.#open = null;
    const input = this.#input(side);
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }

  #option(side, clip) {
    const small = [clip.label, clip.media ? '' : clip.state].filter(Boolean).join(' · ');
    const what = span('pick-what', clip.title);
    what.append(element('small', {}, small));
    const option = element('li', {
      class: 'pick', id: `pick-${side}-${clip.id}`, role: 'option', 'aria-selected': 'false',
      'data-id': clip.id,
    }, span('pick-fps', clip.fps === null ? '–' : rate(clip.fps)), what);
    toggle(option, 'data-current', clip.id === this.#chosen[side]);
    return option;
  }

  #mark(side, option) {
    for (const one of this.#list(side).querySelectorAll('[aria-selected="true"]')) {
      one.setAttribute('aria-selected', 'false');
    }
    const input = this.#input(side);
    if (!option) {
      input.removeAttribute('aria-activedescendant');
      return;
    }
    option.setAttribute('aria-selected', 'true');
    option.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', option.id);
  }

  #take(side, option) {
    this.choose(side, option.dataset.id);
    this.#hide(side);
  }

  #pressed(side, event) {
    const list = this.#list(side);
    const options = [...list.querySelectorAll('[role="option"]')];
    const at = options.findIndex((one) => one.getAttribute('aria-selected') === 'true');
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 };
    if (event.key in moves) {
      event.preventDefault();
      if (list.hidden) this.#show(side, '');
      else this.#mark(side, options.at(Math.max(0, Math.min(moves[event.key], options.length - 1))));
    } else if (event.key === 'Enter' && !list.hidden && options[at]) {
      event.preventDefault();
      this.#take(side, options[at]);
    } else if (event.key === 'Escape' && !list.hidden) {
      event.preventDefault();
      this.#hide(side);
      this.#write(side);
    }
  }
}

/** What a clip can be found by: the beginning of any of these. */
function wordsOf(clip) {
  const parts = [clip.title, clip.series, clip.label, clip.state, clip.size.replace(/\s/g, '')];
  if (clip.fps !== null) parts.push(`${rate(clip.fps)} fps`, `${rate(clip.fps)}fps`);
  if (clip.interpolation !== 'none') parts.push(clip.interpolation);
  if (clip.steps) parts.push(`${clip.steps}steps`);
  return fold(parts.join(' ')).split(/[\s·]+/);
}

/** What is typed, in such words; "8 steps" and its beginnings from "8 st" on are one of them. */
function wantedWords(typed) {
  const text = fold(typed).replace(/(\d[\d,]*)\s*st(?:e|ep|eps)?(?=\s|$)/g, '$1steps');
  return text.split(/[\s·]+/).filter(Boolean);
}

/** Small letters, no accents, no brackets, "x" for the multiplication sign. */
function fold(text) {
  return text.normalize('NFKD').replace(/[\p{M}[\]]/gu, '').replaceAll('×', 'x').toLowerCase();
}

customElements.define('clip-picker', ClipPicker);
