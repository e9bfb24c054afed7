/**
 * Loads what the page at hand uses, when it is used, and nothing else. Every page is complete
 * without it.
 */

import { whenNear } from './lib/near.js';

const AT_ONCE = {
  'clip-picker': () => import('./elements/clip-picker.js'),
  'clip-embed': () => import('./elements/clip-embed.js'),
  'archive-filter': () => import('./elements/archive-filter.js'),
};
const NEAR = {
  'clip-pair': () => import('./elements/clip-pair.js'),
  'chart-figure': () => import('./elements/chart-figure.js'),
};

for (const [selector, load] of Object.entries(AT_ONCE)) {
  if (document.querySelector(selector)) load();
}
for (const [selector, load] of Object.entries(NEAR)) {
  whenNear(document.querySelectorAll(selector), load);
}

// Stills behind figures: the stylesheet keeps those far away from being laid out, and what is not
// laid out is not fetched.
whenNear(document.querySelectorAll('.cell[data-still]'), (cell) => {
  cell.querySelector('.cell-still').dataset.near = '';
});

// The mark that steps along a strip: with the first pointer or focus, which it is told of.
if (document.querySelector('[data-fps]')) {
  for (const name of ['pointerover', 'focusin']) {
    document.addEventListener(name, async (event) => {
      const { follow } = await import('./elements/cadence.js');
      follow(event);
    }, { once: true });
  }
}
