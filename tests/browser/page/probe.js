// Watches two videos from outside, once per animation frame. Knows nothing of the player.
import { readFrameCode } from '/static/js/lib/framecode.js';

/** Samples for ms: wall ms, both currentTimes, the player's own clock (null: it has none). */
window.watch = (ms) => new Promise((done) => {
  const [a, b] = document.querySelectorAll('video');
  const pair = document.querySelector('clip-pair');
  const samples = [];
  const untilMs = performance.now() + ms;
  const look = () => {
    const wallMs = performance.now();
    samples.push([wallMs, a.currentTime, b.currentTime, pair ? pair.timeS : null,
      pair ? pair.state.phase : null, a.playbackRate, b.playbackRate]);
    if (wallMs < untilMs) requestAnimationFrame(look);
    else done(samples);
  };
  requestAnimationFrame(look);
});

const canvas = document.createElement('canvas');
const context = canvas.getContext('2d', { willReadFrequently: true });

/** The frame number in a video's present picture, or null. */
window.codeOf = (video) => {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  context.drawImage(video, 0, 0);
  return readFrameCode(context.getImageData(0, 0, canvas.width, canvas.height));
};
