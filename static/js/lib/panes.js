/** A clip of data/clips.json as the site's own pages write it (templates/parts/pair.html). */

import { element, setAttribute } from './dom.js';

/** What `describe` writes of a clip of the list; its addresses are from `root`. */
export function told(clip, root) {
  const { media } = clip;
  const at = (path) => (path ? new URL(path, root).href : null);
  return {
    id: clip.id, title: clip.title, fps: clip.fps, missing: clip.missing ?? '',
    ...(media && {
      src: at(media.src), poster: at(media.poster), width: media.width, height: media.height,
      durationS: media.duration_s ?? 0, frames: media.frames, timestampsUrl: at(media.timestamps),
      lanesUrl: at(media.lanes), recorded: media.arrivals,
      storyboard: media.storyboard && { ...media.storyboard, src: at(media.storyboard.src) },
    }),
  };
}

/** Writes a clip into a <video>, in place of what was there; src null: there is none to play. */
export function describe(video, {
  id = '', src = null, poster = '', width = null, height = null, durationS = 0, frames = null,
  fps = null, timestampsUrl = null, missing = '', title = '', lanesUrl = null, recorded = false,
  storyboard = null,
}) {
  const { columns, rows, tiles, tile_width: wide, tile_height: high } = storyboard ?? {};
  const written = {
    clip: id || null, duration: durationS || null, frames, fps, timestamps: timestampsUrl,
    lanes: lanesUrl, arrivals: recorded ? '' : null, storyboard: storyboard?.src ?? null,
    tiles: storyboard && [columns, rows, tiles, wide, high].join(' '), missing: src ? null : missing,
  };
  for (const [name, value] of Object.entries(written)) {
    if (value === null) delete video.dataset[name];
    else video.dataset[name] = value;
  }
  if (width && height) Object.assign(video, { width, height });
  video.poster = poster ?? '';
  if (title) setAttribute(video, 'aria-label', title);
  if (src) video.src = src;
  else video.removeAttribute('src');
}

/** A pane for a side; addresses in `clip` are from `root`. A side without a clip says what is missing. */
export function pane(side, clip, root, missing = '') {
  const video = element('video', {
    muted: '', playsinline: '', preload: 'none', width: 512, height: 288, 'aria-label': missing,
  });
  describe(video, clip ? told(clip, root) : { missing });
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
