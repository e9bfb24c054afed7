/**
 * <recent-comparisons for="ID">: the comparisons last played on this device, each a link, and a
 * button that forgets them. They stand in localStorage and are sent nowhere; where the browser
 * forbids that, there are none.
 *
 * A comparison counts as played once the <clip-pair> inside the element with that id runs with two
 * clips or more. Which clips there are, and what they are called, the picker tells by `clips`.
 */

import { element, write } from '../lib/dom.js';
import { SIDES } from '../lib/view.js';

const MOST = 10;

export class RecentComparisons extends HTMLElement {
  #watcher = null;
  #clips = new Map(); // id -> clip

  connectedCallback() {
    this.querySelector('button').addEventListener('click', () => this.#forget());
  }

  disconnectedCallback() {
    this.#watcher?.disconnect();
  }

  set clips(byId) {
    this.#clips = byId;
    this.#show();
    this.#remember();
    this.#watcher?.disconnect();
    this.#watcher = new MutationObserver(() => this.#remember());
    this.#watcher.observe(this.#pair, { attributeFilter: ['phase'] });
  }

  get #pair() {
    return document.getElementById(this.getAttribute('for')).querySelector('clip-pair');
  }

  /** Of this page only: a host may hold many sites. */
  get #key() {
    return `recent-comparisons ${location.pathname}`;
  }

  #remember() {
    const { state } = this.#pair;
    if (state.phase !== 'running') return;
    const sides = SIDES.filter((side) => state.clips[side] && !state.clips[side].failed);
    const ids = sides.map((side) => state[side]).filter((id) => this.#clips.has(id));
    if (ids.length < 2) return;
    const others = this.#read().filter((one) => setOf(one) !== setOf(ids));
    this.#write([ids, ...others].slice(0, MOST));
    this.#show();
  }

  #forget() {
    this.#write([]);
    this.#show();
    this.querySelector('summary').focus();
  }

  #show() {
    const known = this.#read().filter((ids) => ids.every((id) => this.#clips.has(id)));
    this.querySelector('ol').replaceChildren(...known.map((ids) => this.#entry(ids)));
    write(this.querySelector('.recent-count'), String(known.length || 'none yet'));
    this.querySelector('button').hidden = !known.length;
  }

  #entry(ids) {
    const query = new URLSearchParams(ids.map((id, i) => [SIDES[i], id]));
    const { each, shared } = wordsOf(ids.map((id) => this.#clips.get(id).title));
    return element('li', {}, element('a', { href: `${location.pathname}?${query}` },
      element('b', {}, each.join(' / ')), ` ${shared}`));
  }

  #read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? '[]');
      return kept.filter((ids) => Array.isArray(ids) && ids.length > 1 && ids.length <= SIDES.length);
    } catch {
      return []; // forbidden here, or not ours
    }
  }

  #write(kept) {
    try {
      if (kept.length) localStorage.setItem(this.#key, JSON.stringify(kept));
      else localStorage.removeItem(this.#key);
    } catch {
      // Forbidden here, or full: then nothing is kept.
    }
  }
}

function setOf(ids) {
  return [...ids].sort().join(' ');
}

/** What differs between titles of the form "pipeline · steps · size · prompt", and what does not. */
function wordsOf(titles) {
  const parts = titles.map((title) => title.split(' · '));
  const shared = parts[0].filter((part) => parts.every((one) => one.includes(part)));
  const each = parts.map((one) => one.filter((part) => !shared.includes(part)).join(' · '));
  return each.every(Boolean) ? { each, shared: shared.join(' · ') } : { each: titles, shared: '' };
}

customElements.define('recent-comparisons', RecentComparisons);
