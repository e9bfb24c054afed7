// Watches canvases, or videos where a page has no canvas, from outside, once per animation frame: what the pixels
// say is read back from the picture, what time it is from the player's clock and the wall's.
import { readFrameCode, rowHeightOf } from '/static/js/lib/framecode.js';

const canvases = () => {
  const found = [...document.querySelectorAll('.pane-canvas')];
  return found.length ? found : [...document.querySelectorAll('video')];
};
const sizeOf = (shown) => (shown.videoWidth === undefined
  ? [shown.width, shown.height] : [shown.videoWidth, shown.videoHeight]);

const scratch = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

/** The pixels of a canvas from a row on. */
function pixelsOf(canvas, top) {
  const [width, height] = sizeOf(canvas);
  if (scratch.canvas.width < width) scratch.canvas.width = width;
  if (scratch.canvas.height < height) scratch.canvas.height = height;
  scratch.drawImage(canvas, 0, top, width, height - top, 0, 0, width, height - top);
  return scratch.getImageData(0, 0, width, height - top);
}

/** The frame number in a canvas's present picture; null without one. */
function codeOf(canvas) {
  const [width, height] = sizeOf(canvas);
  if (canvas.hidden || !width) return null;
  return readFrameCode(pixelsOf(canvas, height - 2 * rowHeightOf(height)), height);
}

/** [wall ms, clock s, lap, phase, rate, [code, ...]] of this moment. */
window.tick = () => {
  const { shownS, lap, phase, rate } = clipPair()?.state ?? {};
  return [performance.now(), shownS, lap, phase, rate, canvases().map(codeOf)];
};

/** Ticks from now on, until stopWatching() gives them back. */
window.startWatching = () => {
  const ticks = [];
  let on = true;
  const look = () => {
    if (!on) return;
    ticks.push(tick());
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  window.stopWatching = () => {
    on = false;
    return ticks;
  };
};

/** Luma of the canvases' pixels at [[x, y], ...] for each, with the clock: clips without a code. */
window.lumas = (pointLists) => {
  const { shownS } = clipPair().state;
  return [shownS, canvases().map((canvas, i) => {
    const { data, width } = pixelsOf(canvas, 0);
    return pointLists[i].map(([x, y]) => {
      const at = 4 * (y * width + x);
      return 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
    });
  })];
};

/** Such samples once per animation frame for ms. */
window.watchLumas = (pointLists, ms) => new Promise((done) => {
  const samples = [];
  const untilMs = performance.now() + ms;
  const look = () => {
    samples.push(lumas(pointLists));
    if (performance.now() < untilMs) requestAnimationFrame(look);
    else done(samples);
  };
  requestAnimationFrame(look);
});

window.framesReady = () => Boolean(customElements.get('clip-pair') && window.clipPair);
