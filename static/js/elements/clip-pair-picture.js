/**
 * The present view of <clip-pair> as a PNG, with a caption of what is compared. Loaded when
 * somebody asks for one.
 */

import { contain, sizeOf } from './clip-pair-view.js';

const SIDE_PX = { least: 640, most: 1280 }; // width of one picture
const MOST_COLUMNS = 3;
const GAP = 8;
const LINE = 30;

/** A Blob of the view; clips: [{side, picture, lines: [text, ...], aligned}] from left to right. */
export async function viewPicture({ view, clips, difference, foot }) {
  const shown = clips.filter(({ picture }) => picture);
  if (!shown.length) throw new Error('there is no picture yet');
  const sizes = shown.map(({ picture }) => sizeOf(picture));
  const wide = Math.min(SIDE_PX.most, Math.max(SIDE_PX.least, ...sizes.map(([width]) => width)));
  const high = Math.round(Math.max(...sizes.map(([width, height]) => (wide * height) / width)));
  const apart = view.mode === 'side' || view.mode === 'flicker';
  const columns = !apart ? 1 : shown.length === 4 ? 2 : Math.min(shown.length, MOST_COLUMNS);
  const rows = apart ? Math.ceil(shown.length / columns) : 1;
  const lines = Math.max(...shown.map((clip) => clip.lines.length));
  const captions = (apart ? lines : lines * shown.length) * LINE;
  const row = high + GAP + captions;
  const canvas = new OffscreenCanvas(
    columns * wide + (columns - 1) * GAP, rows * row + LINE * 2,
  );
  const pen = canvas.getContext('2d', { alpha: false });
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim() || '#fff';
  pen.fillStyle = colour('--bg');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const box = (i) => ({
    x: (i % columns) * (wide + GAP), y: Math.floor(i / columns) * row, wide, high,
  });
  if (apart) shown.forEach((clip, i) => lay(pen, clip.picture, box(i), view, clip.aligned));
  else over(pen, shown, box(0), view, difference);
  pen.font = `18px ${style.getPropertyValue('--font-body')}`;
  pen.textBaseline = 'middle';
  shown.forEach(({ side, lines: texts }, i) => {
    const { x, y } = box(apart ? i : 0);
    texts.forEach((text, line) => {
      pen.fillStyle = colour(line ? '--muted' : '--text');
      const below = (apart ? line : i * lines + line) * LINE + LINE / 2;
      pen.fillText(`${line ? '    ' : `${side.toUpperCase()}  `}${text}`, x + GAP,
        y + high + GAP + below, wide - 2 * GAP);
    });
  });
  foot.forEach((text, line) => {
    pen.fillStyle = colour('--muted');
    pen.fillText(text, GAP, rows * row + (line + 0.5) * LINE, canvas.width - 2 * GAP);
  });
  return canvas.convertToBlob({ type: 'image/png' });
}

/** Draws one picture into a box as the pane shows it: contained, zoomed, moved. */
function lay(pen, picture, { x, y, wide, high }, view, moves, alpha = 1) {
  const aligned = moves ? [view.alignX, view.alignY] : [0, 0];
  const fit = contain(sizeOf(picture), [wide, high]);
  pen.save();
  pen.beginPath();
  pen.rect(x, y, wide, high);
  pen.clip();
  pen.globalAlpha = alpha;
  pen.imageSmoothingEnabled = view.zoom < 3;
  pen.translate(x + wide / 2, y + high / 2);
  pen.scale(view.zoom, view.zoom);
  pen.translate(wide * (view.panX + aligned[0] - 0.5), high * (view.panY + aligned[1] - 0.5));
  pen.drawImage(picture, fit.x, fit.y, fit.width, fit.height);
  pen.restore();
}

function over(pen, [under, upper], box, view, difference) {
  if (view.mode === 'difference' && difference) {
    lay(pen, difference, box, view, false);
    return;
  }
  lay(pen, under.picture, box, view, under.aligned);
  if (!upper) return;
  if (view.mode === 'wipe') {
    const from = box.wide * view.split;
    pen.save();
    pen.beginPath();
    pen.rect(box.x + from, box.y, box.wide - from, box.high);
    pen.clip();
    pen.fillStyle = '#000';
    pen.fillRect(box.x, box.y, box.wide, box.high);
    lay(pen, upper.picture, box, view, upper.aligned);
    pen.restore();
  } else {
    lay(pen, upper.picture, box, view, upper.aligned, view.mix);
  }
}
