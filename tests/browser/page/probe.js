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

window.clipPair = () => document.querySelector('clip-pair');
window.pairIsUp = () => Boolean(customElements.get('clip-pair'));

/** Resolves with the ms until both videos have moved; ask before they are started. */
window.untilBothMove = () => new Promise((done) => {
  const videos = [...document.querySelectorAll('video')];
  const fromMs = performance.now();
  const from = videos.map((video) => video.currentTime);
  const look = () => {
    const moved = videos.every((video, i) => !video.seeking && video.currentTime > from[i]);
    if (moved) done(performance.now() - fromMs);
    else requestAnimationFrame(look);
  };
  look();
});

window.twoPaints = () => new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(done));
});

/** What each side shows and what the player says about it, read in one task. */
window.seen = () => {
  const { clips } = clipPair().state;
  return Object.fromEntries(['a', 'b'].map((side) => {
    const video = document.querySelector(`[data-side=${side}] video`);
    const { currentTime } = video;
    return [side, { currentTime, code: codeOf(video), frame: clips[side].frame }];
  }));
};

/** Every presented frame for ms: its code, its stamp, the player's report and its clock. */
window.watchFrames = (ms) => new Promise((done) => {
  const samples = [];
  const untilMs = performance.now() + ms;
  for (const side of ['a', 'b']) {
    const video = document.querySelector(`[data-side=${side}] video`);
    const shown = (_, { mediaTime, expectedDisplayTime }) => {
      const state = clipPair().state;
      const sinceS = (performance.now() - expectedDisplayTime) / 1000;
      const clock = state.timeS - sinceS * state.rate; // when the frame is to be seen
      const { frame } = state.clips[side];
      const sample = { side, mediaTime, clock, frame, code: codeOf(video) };
      if (performance.now() > untilMs) return;
      samples.push(sample);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }
  setTimeout(() => done(samples), ms + 50);
});
