/** A clip of data/clips.json as the site's own pages write it (templates/parts/pair.html). */

import { element } from './dom.js';

/** A pane for a side; addresses in `clip` are from `root`. A side without a clip says what is missing. */
export function pane(side, clip, root, missing = '') {
  const media = clip?.media;
  const at = (path) => new URL(path, root).href;
  const video = element('video', {
    muted: '', playsinline: '', preload: 'none',
    width: media?.width ?? 512, height: media?.height ?? 288, 'aria-label': clip?.title ?? missing,
  });
  if (clip) video.dataset.clip = clip.id;
  if (media) {
    video.poster = at(media.poster);
    video.setAttribute('src', at(media.src));
    const told = { duration: media.duration_s, frames: media.frames, fps: clip.fps };
    for (const [name, value] of Object.entries(told)) if (value !== null) video.dataset[name] = value;
    if (media.timestamps) video.dataset.timestamps = at(media.timestamps);
    if (media.lanes) video.dataset.lanes = at(media.lanes);
    if (media.arrivals) video.dataset.arrivals = '';
    if (media.storyboard) {
      const { src, columns, rows, tiles, tile_width: width, tile_height: height } = media.storyboard;
      video.dataset.storyboard = at(src);
      video.dataset.tiles = [columns, rows, tiles, width, height].join(' ');
    }
  } else {
    video.dataset.missing = clip?.missing ?? missing;
  }
  return element('figure', { class: 'pane', 'data-side': side },
    element('div', { class: 'pane-screen' }, video),
    element('figcaption', {}, ...(clip ? caption(side, clip, root) : [])));
}

/** The parts of a caption. */
export function caption(side, clip, root) {
  const fps = element('a', { class: 'pane-fps', href: new URL(clip.page, root).href },
    clip.fps === null ? 'not stated' : rate(clip.fps));
  if (clip.fps !== null) fps.append(' ', element('small', {}, 'FPS'));
  const short = clip.prompt ? clip.title.replace(` · ${clip.prompt}`, '') : clip.title;
  const sub = [clip.prompt, clip.label].filter(Boolean).join(' · ');
  const parts = [span('pane-side', side.toUpperCase()), fps, span('pane-title', short),
    span('pane-sub', sub)];
  if (clip.media) parts.push(span('pane-plays', clip.media.playing));
  return parts.flatMap((part) => [part, ' ']);
}

/** Frames per second as the pages print them. */
export function rate(fps) {
  return fps.toFixed(Number.isInteger(fps * 10) ? 1 : 2).replace(/(\.\d)0$/, '$1');
}

export function span(className, text) {
  return element('span', { class: className }, text);
}
