/**
 * <clip-picker data-clips="clips.json" for="ID">: a combobox for each clip of the <clip-pair> inside
 * the element with that id, a button that adds one, and, from three on, one each that removes it.
 *
 * The page is written with A and B; up to nine can stand in the address, as ?a=&b= to &i= (there
 * kept by replaceState, with the view and the moment). Letters never leave a gap: what comes after
 * a removed clip moves up. Clips that cannot be played are listed, marked, and put "No clip" with
 * the reason into the pane. Where two panes are swapped, so are the lists: A stays over A. All
 * words about a clip come from clips.json.
 */

import { element, setAttribute, toggle, write } from '../lib/dom.js';
import { caption, rate, span, told } from '../lib/panes.js';
import { SIDES } from '../lib/view.js';
import './clip-pair.js';

const LEAST = 2;
const SHOWN_AT_MOST = 200;
const KEEP_EVERY_MS = 300;
const HOLD_MS = 4000; // as long as js/early.js hides what moves

export class ClipPicker extends HTMLElement {
  #connection = null;
  #clips = [];
  #byId = new Map();
  #ids = []; // by place; null for a list that nothing was chosen from yet
  #open = null;

  async connectedCallback() {
    this.#connection = new AbortController();
    const query = new URLSearchParams(location.search); // before anything is kept there
    const known = [...SIDES, ...this.#pair.address.map(([name]) => name)];
    const asks = known.some((name) => query.has(name));
    // What the address asks for comes with the list, and would undo what somebody did before.
    if (asks) this.#hold();
    const { signal } = this.#connection;
    const source = new URL(this.dataset.clips, document.baseURI);
    try {
      const answer = await fetch(source, { signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const clips = await answer.json();
      const ways = new Set(clips.map((clip) => clip.interpolation));
      this.#clips = clips.map((clip) => ({ ...clip, words: wordsOf(clip, ways) }));
    } catch (error) {
      if (error.name !== 'AbortError') this.#say('The list of clips did not load.');
      this.#appear();
      return;
    }
    this.root = new URL('../', source); // clips.json stands in data/
    this.#byId = new Map(this.#clips.map((clip) => [clip.id, clip]));
    const add = this.querySelector('.picker-add');
    add.addEventListener('click', () => this.#add(), { signal });
    const fold = this.querySelector('.picker-fold');
    fold.disabled = false;
    fold.addEventListener('click', () => this.#unfold(!this.hasAttribute('unfolded')), { signal });
    for (const side of SIDES.slice(0, LEAST)) this.#equip(side);
    this.#followSwap();
    try {
      this.#readAddress(query);
      if (asks) this.#pair.restore(query);
    } finally {
      this.#appear();
    }
    this.#pair.addEventListener('clip-pair-change', () => this.#keepSoon(), { signal });
    const names = SIDES.some((side) => query.has(side));
    if (names || !asks) this.#keep(names);
    this.#recall(document.querySelector('recent-comparisons'));
  }

  /** Loads what was played before with the first sign of a visitor, and tells it the clips. */
  #recall(recent) {
    const signal = this.#connection.signal;
    const load = async () => {
      await import('./recent-comparisons.js');
      if (recent && !signal.aborted) recent.clips = this.#byId;
    };
    for (const name of ['pointermove', 'pointerdown', 'keydown', 'scroll']) {
      addEventListener(name, load, { signal, once: true, passive: true });
    }
  }

  /** Ends what js/early.js began. */
  #hold() {
    this.#pair.inert = true;
    setTimeout(() => this.#appear(), HOLD_MS);
  }

  #appear() {
    delete document.documentElement.dataset.clips;
    const pair = this.#pair;
    if (pair) pair.inert = false;
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

  #row(side) {
    return this.querySelector(`.picker[data-side="${side}"]`);
  }

  #input(side) {
    return this.#row(side).querySelector('input');
  }

  #list(side) {
    return this.#row(side).querySelector('[role="listbox"]');
  }

  /** The clips of the address; what it leaves out of the first two, the page's own fill. */
  #readAddress(query) {
    const own = SIDES.slice(0, LEAST).map((side) => (
      this.#pair.querySelector(`[data-side="${side}"] video`)?.dataset.clip ?? null));
    const asked = SIDES.map((side) => (this.#byId.has(query.get(side)) ? query.get(side) : null));
    const first = asked.slice(0, LEAST);
    this.#ids = first.map((id, i) => id ?? (first.includes(own[i]) ? own[1 - i] : own[i]));
    this.#ids.push(...asked.slice(LEAST).filter(Boolean));
    this.#ids.forEach((id, i) => {
      if (id !== own[i]) this.#load(i);
      else this.#write(SIDES[i]);
    });
    this.#count();
    const unknown = SIDES.filter((side, i) => query.get(side) && !asked[i]);
    for (const side of unknown) {
      const text = `${side.toUpperCase()}: no clip is called ${query.get(side)}.`;
      this.#say(text, SIDES.indexOf(side) < LEAST ? side : `no-${side}`);
    }
  }

  /** Puts a clip on a side, by id. */
  choose(side, id) {
    const place = SIDES.indexOf(side);
    if (!this.#byId.has(id) || place > this.#ids.length) return;
    this.#ids[place] = id;
    this.#load(place);
    this.#count();
    this.#keep(true);
  }

  #load(place) {
    const side = SIDES[place];
    if (!this.#row(side)) this.#addRow(side);
    const clip = this.#byId.get(this.#ids[place]);
    const { media } = clip;
    this.#pair.load(side, { ...told(clip, this.root), captionHtml: this.#caption(side, clip) });
    this.#write(side);
    const what = media ? clip.title : `no clip. ${clip.missing ?? ''}`.trim();
    this.#say(`${side.toUpperCase()}: ${what}`, side, Boolean(media));
  }

  // ── more than two ────────────────────────────────────────────────────────────────────────

  /** A list for one more clip, open; its pane comes with the choice. */
  #add() {
    if (!this.#ids.includes(null) && this.#ids.length < SIDES.length) {
      this.#ids.push(null);
      this.#addRow(SIDES[this.#ids.length - 1]);
      this.#count();
    }
    const empty = this.#ids.indexOf(null);
    if (empty < 0) return;
    this.#unfold(true);
    this.#input(SIDES[empty]).focus();
  }

  #addRow(side) {
    const row = this.#row('a').cloneNode(true);
    row.dataset.side = side;
    const [label, input, list] = row.children;
    write(label, side.toUpperCase());
    label.setAttribute('for', `pick-${side}`);
    Object.assign(input, { id: `pick-${side}`, value: '' });
    setAttribute(input, 'aria-controls', `list-${side}`);
    setAttribute(input, 'aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    Object.assign(list, { id: `list-${side}`, hidden: true });
    setAttribute(list, 'aria-label', `Clips for side ${side.toUpperCase()}`);
    list.replaceChildren();
    row.querySelector('.picker-remove')?.remove();
    [...this.querySelectorAll('.picker')].at(-1).after(row);
    this.#equip(side);
  }

  /** Makes a list work; what was typed before would be lost, so fields come disabled. */
  #equip(side) {
    const { signal } = this.#connection;
    const remove = element('button', { type: 'button', class: 'picker-remove', hidden: '',
      'aria-label': `Remove clip ${side.toUpperCase()}`, title: 'Remove this clip' }, '×');
    remove.addEventListener('click', () => this.#remove(SIDES.indexOf(side)), { signal });
    this.#row(side).append(remove);
    this.#listen(side);
    this.#input(side).disabled = false;
  }

  #remove(place) {
    const title = this.#byId.get(this.#ids[place])?.title;
    this.#ids.splice(place, 1);
    const count = this.#ids.length;
    for (let i = place; i < count; i += 1) if (this.#ids[i]) this.#load(i);
    if (count && !this.#ids[count - 1]) this.#pair.unload(SIDES[count - 1]);
    if (!this.#ids[count - 1]) this.#write(SIDES[count - 1]);
    this.#pair.unload(SIDES[count]);
    this.#row(SIDES[count]).remove();
    this.#line(SIDES[count]).remove();
    this.#count();
    this.#keep(true);
    if (title) this.#say(`${title} is out; ${count} clips are left.`, 'both', true);
    const next = this.#row(SIDES[Math.min(place, count - 1)]).querySelector('.picker-remove');
    (next.hidden ? this.querySelector('.picker-add') : next).focus();
  }

  /** What depends on how many there are. */
  #count() {
    const chosen = this.#ids.filter(Boolean).length;
    this.#ids.forEach((id, i) => {
      const remove = this.#row(SIDES[i]).querySelector('.picker-remove');
      remove.hidden = id !== null && chosen <= LEAST;
    });
    const many = this.#ids.length > LEAST;
    toggle(this, 'many', many);
    if (!many) this.#unfold(false);
    write(this.querySelector('.picker-fold'), `${this.#ids.length} clips: change`);
    this.querySelector('.picker-add').disabled = this.#ids.length === SIDES.length
      && !this.#ids.includes(null);
  }

  /** On a phone three lists and more are folded away. */
  #unfold(isSo) {
    toggle(this, 'unfolded', isSo);
    setAttribute(this.querySelector('.picker-fold'), 'aria-expanded', String(isSo));
  }

  #caption(side, clip) {
    return element('div', {}, ...caption(side, clip, this.root)).innerHTML;
  }

  #write(side) {
    this.#input(side).value = this.#byId.get(this.#ids[SIDES.indexOf(side)])?.title ?? '';
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
    const query = new URLSearchParams();
    const kept = address.searchParams;
    const told = pair.address.map(([name, text]) => (
      [name, name === 't' && pair.state.playing ? kept.get(name) : text]));
    const names = new Set([...SIDES, ...told.map(([name]) => name)]);
    this.#ids.forEach((id, i) => { if (id) query.set(SIDES[i], id); });
    for (const [name, text] of told) if (text !== null) query.set(name, text);
    for (const [name, text] of kept) if (!names.has(name)) query.append(name, text);
    address.search = query;
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  /** About one side, or about all; what eyes see below anyway is for ears only. */
  #say(text, side = 'both', forEars = false) {
    const line = this.#line(side);
    line.textContent = text;
    line.classList.toggle('visually-hidden', forEars);
  }

  #line(side) {
    const status = this.querySelector('.picker-status');
    const line = status.querySelector(`[data-about="${side}"]`)
      ?? element('span', { 'data-about': side });
    if (!line.parentElement) status.append(line);
    return line;
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
    toggle(option, 'data-current', clip.id === this.#ids[SIDES.indexOf(side)]);
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

/** What a clip can be found by: the beginning of any of these. `ways`: all interpolations there are. */
function wordsOf(clip, ways) {
  const parts = [clip.title, clip.series, clip.label, clip.state, clip.size.replace(/\s/g, '')];
  if (clip.fps !== null) parts.push(`${rate(clip.fps)} fps`, `${rate(clip.fps)}fps`);
  if (clip.steps) parts.push(`${clip.steps}steps`);
  const interpolated = clip.interpolation !== 'none';
  parts.push(...interpolated ? [clip.interpolation] : ['none', 'nointerpolation']);
  const without = interpolated ? [] : [...ways].map((way) => `no${way}`);
  const text = fold(parts.join(' '));
  return [text, joinNo(text), fold(without.join(' '))].join(' ').split(/[\s·]+/);
}

/** "no clip" as one word: what somebody does not want is found by that word alone. */
function joinNo(text) {
  return text.replace(/(^|\s)no\s+(?=\S)/g, '$1no');
}

/** What is typed, in such words; "8 steps" and its beginnings from "8 st" on are one of them. */
function wantedWords(typed) {
  const text = fold(typed).replace(/(\d[\d,]*)\s*st(?:e|ep|eps)?(?=\s|$)/g, '$1steps');
  return joinNo(text).split(/[\s·]+/).filter(Boolean);
}

/** Small letters, no accents, no brackets, "x" for the multiplication sign. */
function fold(text) {
  return text.normalize('NFKD').replace(/[\p{M}[\]]/gu, '').replaceAll('×', 'x').toLowerCase();
}

customElements.define('clip-picker', ClipPicker);
