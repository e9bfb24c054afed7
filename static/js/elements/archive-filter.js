/**
 * <archive-filter>: narrows the matrix of its page.
 *
 * State: the checked boxes and the lowest rate, mirrored in the address with replaceState. Rows
 * carry data-prompt, -pipeline, -size, -label and -interpolation; cells data-steps, -state and -fps.
 * Rows that do not match are hidden; cells that do not match in a row that does are dimmed. On phones the groups
 * are folded until `open` (an attribute) is set by the toggle.
 */

const ROW_KEYS = ['pipeline', 'prompt', 'size', 'label', 'interpolation'];
const CELL_KEYS = ['steps', 'state'];

export class ArchiveFilter extends HTMLElement {
  #connection = null;

  connectedCallback() {
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    const toggle = this.querySelector('.filter-toggle');
    toggle.addEventListener('click', () => {
      toggle.ariaExpanded = String(this.toggleAttribute('open'));
    }, { signal });
    this.#read(new URLSearchParams(location.search));
    this.addEventListener('input', () => this.#apply(), { signal });
    this.querySelector('.filter-reset').addEventListener('click', () => this.reset(), { signal });
    this.#apply();
    // What is worked before this would be lost, so the page is written with all of it disabled.
    for (const control of this.querySelectorAll(':disabled')) control.disabled = false;
  }

  disconnectedCallback() {
    this.#connection.abort();
  }

  reset() {
    this.#read(new URLSearchParams());
    this.#apply();
  }

  get #boxes() {
    return [...this.querySelectorAll('[data-filter] input[type="checkbox"]')];
  }

  get #rate() {
    return this.querySelector('input[data-filter="fps"]');
  }

  #read(query) {
    for (const box of this.#boxes) {
      box.checked = query.getAll(keyOf(box)).includes(box.value);
    }
    this.#rate.value = query.get('fps') ?? '0';
  }

  #apply() {
    const wanted = new Map();
    for (const box of this.#boxes) {
      if (!box.checked) continue;
      const key = keyOf(box);
      wanted.set(key, [...(wanted.get(key) ?? []), box.value]);
    }
    const least = Number(this.#rate.value);
    this.querySelector('.filter-rate output').textContent = least ? `${least} FPS` : 'any rate';

    let shown = 0;
    let all = 0;
    for (const row of document.querySelectorAll('[data-row]')) {
      const fits = ROW_KEYS.every((key) => wanted.get(key)?.includes(row.dataset[key]) ?? true);
      let matches = 0;
      for (const cell of row.querySelectorAll('.cell')) {
        const lit =
          CELL_KEYS.every((key) => wanted.get(key)?.includes(cell.dataset[key]) ?? true) &&
          (!least || Number(cell.dataset.fps) >= least);
        cell.toggleAttribute('data-dimmed', !lit);
        matches += lit;
        all += 1;
      }
      row.hidden = !fits || !matches;
      shown += row.hidden ? 0 : matches;
    }
    for (const part of document.querySelectorAll('[data-block], [data-band]')) {
      part.hidden = !part.querySelector('[data-row]:not([hidden])');
    }
    this.querySelector('.filter-count').textContent =
      shown === all ? `${all} cells` : `${shown} of ${all} cells`;
    this.querySelector('.filter-reset').hidden = !wanted.size && !least;
    this.#keep(wanted, least);
  }

  #keep(wanted, least) {
    const address = new URL(location.href);
    for (const key of [...ROW_KEYS, ...CELL_KEYS, 'fps']) address.searchParams.delete(key);
    for (const [key, values] of wanted) {
      for (const value of values) address.searchParams.append(key, value);
    }
    if (least) address.searchParams.set('fps', String(least));
    if (address.href !== location.href) history.replaceState(history.state, '', address);
  }
}

function keyOf(box) {
  return box.closest('[data-filter]').dataset.filter;
}

customElements.define('archive-filter', ArchiveFilter);
