/** Loads what the page at hand uses, and nothing else. Every page is complete without it. */

const ELEMENTS = {
  'clip-pair': () => import('./elements/clip-pair.js'),
  'clip-picker': () => import('./elements/clip-picker.js'),
  'archive-filter': () => import('./elements/archive-filter.js'),
  'chart-figure': () => import('./elements/chart-figure.js'),
  '.cadence': () => import('./elements/cadence.js'),
};

for (const [selector, load] of Object.entries(ELEMENTS)) {
  if (document.querySelector(selector)) load();
}
