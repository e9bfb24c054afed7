/**
 * <clip-picker data-clips="clips.json" for="ID">: two comboboxes that choose the clips of the
 * <clip-pair> inside the element with that id.
 *
 * The choice stands in the address as ?a=&b= (replaceState). Clips that cannot be played are
 * listed, marked, and put a plain "no clip" into the pane.
 */

import './clip-pair.js';

const SIDES = ['a', 'b'];
const SHOWN_AT_MOST = 200;

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
    this.#readAddress();
    // What is typed before this would be lost, so the page is written with the fields disabled.
    for (const side of SIDES) this.#input(side).disabled = false;
  }

  disconnectedCallback() {
    this.#connection.abort();
  }

  get #pair() {
    return document.getElementById(this.getAttribute('for'))?.querySelector('clip-pair');
  }

  #input(side) {
    return this.querySelector(`.picker[data-side="${side}"] input`);
  }

  #list(side) {
    return this.querySelector(`.picker[data-side="${side}"] [role="listbox"]`);
  }

  #readAddress() {
    const query = new URLSearchParams(location.search);
    const unknown = [];
    for (const side of SIDES) {
      const asked = query.get(side);
      const preset = this.#pair.querySelector(`[data-side="${side}"] video`)?.dataset.clip;
      if (asked && this.#byId.has(asked)) {
        if (asked === preset) this.#chosen[side] = asked;
        else this.choose(side, asked);
      } else {
        if (asked) unknown.push(asked);
        this.#chosen[side] = preset ?? null;
      }
      this.#write(side);
    }
    if (unknown.length) this.#say(`No clip is called ${unknown.join(' or ')}.`);
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
      timestampsUrl: media?.timestamps ? this.#address(media.timestamps) : null,
      captionHtml: this.#caption(clip),
    });
    this.#write(side);
    this.#keep();
    this.#say(`${side.toUpperCase()}: ${media ? media.note : 'no clip.'}`);
  }

  #address(path) {
    return new URL(path, this.root).href;
  }

  #caption(clip) {
    const fps = element('a', 'pane-fps', clip.fps === null ? 'not stated' : rate(clip.fps));
    fps.href = this.#address(clip.page);
    if (clip.fps !== null) fps.append(' ', element('small', '', 'FPS'));
    const short = clip.prompt ? clip.title.replace(` · ${clip.prompt}`, '') : clip.title;
    const sub = [clip.prompt, clip.label].filter(Boolean).join(' · ');
    return [fps, element('span', 'pane-title', short), element('span', 'pane-sub', sub)]
      .map((part) => part.outerHTML)
      .join(' ');
  }

  #write(side) {
    this.#input(side).value = this.#byId.get(this.#chosen[side])?.title ?? '';
  }

  #keep() {
    const address = new URL(location.href);
    for (const side of SIDES) {
      if (this.#chosen[side]) address.searchParams.set(side, this.#chosen[side]);
    }
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }

  #say(text) {
    this.querySelector('.picker-status').textContent = text;
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
    const wanted = fold(typed).split(/\s+/).filter(Boolean);
    const found = this.#clips.filter((clip) => wanted.every((part) => clip.words.some((word) => word.startsWith(part))));
    const list = this.#list(side);
    list.replaceChildren(...found.slice(0, SHOWN_AT_MOST).map((clip) => this.#option(side, clip)));
    if (!found.length) list.append(element('li', 'pick-none', 'No clip matches.'));
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
    const option = element('li', 'pick');
    option.id = `pick-${side}-${clip.id}`;
    option.setAttribute('role', 'option');
    option.setAttribute('aria-selected', 'false');
    option.dataset.id = clip.id;
    if (clip.id === this.#chosen[side]) option.dataset.current = '';
    const what = element('span', 'pick-what', clip.title);
    const small = [clip.label, clip.media ? '' : clip.state].filter(Boolean).join(' · ');
    what.append(element('small', '', small));
    option.append(element('span', 'pick-fps', clip.fps === null ? '–' : rate(clip.fps)), what);
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
  if (clip.steps) parts.push(`${clip.steps}steps`);
  return fold(parts.join(' ')).split(/[\s·]+/);
}

/** Small letters, no accents, "x" for the multiplication sign. */
function fold(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').replaceAll('×', 'x').toLowerCase();
}

function rate(fps) {
  return fps.toFixed(Number.isInteger(fps * 10) ? 1 : 2).replace(/(\.\d)0$/, '$1');
}

function element(name, className, text = '') {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

customElements.define('clip-picker', ClipPicker);
