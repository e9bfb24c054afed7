/**
 * The present view of <clip-pair> as a PNG, with a caption of what is compared. Loaded when
 * somebody asks for one.
 */

import { contain, sizeOf } from './clip-pair-view.js';

const SIDE_PX = { least: 640, most: 1280 }; // width of one picture
const MOST_COLUMNS = 3;
const GAP = 8;
const LINE = 30;
const INDENT = 24;

/**
 * A Blob of the view; clips: [{side, picture, lines: [text, ...], aligned, slate}] from left to
 * right, where there is a picture or a slate: what is written in place of one.
 */
export async function viewPicture({ view, clips, difference, foot }) {
  const shown = clips.filter(({ picture, slate }) => picture || slate);
  if (!shown.some(({ picture }) => picture)) throw new Error('there is no picture yet');
  const sizes = shown.filter(({ picture }) => picture).map(({ picture }) => sizeOf(picture));
  const wide = Math.min(SIDE_PX.most, Math.max(SIDE_PX.least, ...sizes.map(([width]) => width)));
  const high = Math.round(Math.max(...sizes.map(([width, height]) => (wide * height) / width)));
  const apart = view.mode === 'side' || view.mode === 'flicker';
  const columns = !apart ? 1 : shown.length === 4 ? 2 : Math.min(shown.length, MOST_COLUMNS);
  const rows = apart ? Math.ceil(shown.length / columns) : 1;
  const width = columns * wide + (columns - 1) * GAP;
  const style = getComputedStyle(document.documentElement);
  const font = `18px ${style.getPropertyValue('--font-body')}`;
  const ruler = new OffscreenCanvas(1, 1).getContext('2d');
  ruler.font = font;
  const captions = shown.map(({ side, lines: [first, ...rest] }) => [
    ...wrapped(ruler, `${side.toUpperCase()}  ${first}`, wide - 2 * GAP).map((text) => [text, 0]),
    ...rest.flatMap((text) => wrapped(ruler, text, wide - 2 * GAP - INDENT).map((one) => [one, INDENT])),
  ]);
  const footer = foot.flatMap((text) => wrapped(ruler, text, width - 2 * GAP));
  const heights = captions.map(({ length }) => length);
  const lines = apart ? Math.max(...heights) : heights.reduce((sum, one) => sum + one);
  const row = high + GAP + lines * LINE;
  const canvas = new OffscreenCanvas(width, rows * row + LINE * footer.length);
  const pen = canvas.getContext('2d', { alpha: false });
  const colour = (name) => style.getPropertyValue(name).trim() || '#fff';
  pen.fillStyle = colour('--bg');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const box = (i) => ({
    x: (i % columns) * (wide + GAP), y: Math.floor(i / columns) * row, wide, high,
  });
  pen.font = font;
  pen.textBaseline = 'middle';
  if (apart) shown.forEach((clip, i) => lay(pen, clip, box(i), view));
  else over(pen, shown, box(0), view, difference);
  let above = 0; // lines of the captions before, where they stand below each other
  captions.forEach((texts, i) => {
    const { x, y } = box(apart ? i : 0);
    texts.forEach(([text, indent], line) => {
      pen.fillStyle = colour(indent ? '--muted' : '--text');
      pen.fillText(text, x + GAP + indent, y + high + GAP + (above + line + 0.5) * LINE);
    });
    if (!apart) above += texts.length;
  });
  pen.fillStyle = colour('--muted');
  footer.forEach((text, line) => pen.fillText(text, GAP, rows * row + (line + 0.5) * LINE));
  return canvas.convertToBlob({ type: 'image/png' });
}

/** A text in lines no wider than that: broken at spaces and after & or ?, else wherever it must. */
function wrapped(pen, text, wide) {
  const lines = [''];
  for (const part of text.match(/[^\s&?]*[\s&?]|[^\s&?]+$/g) ?? ['']) {
    const on = lines.at(-1) + part;
    if (pen.measureText(on.trimEnd()).width <= wide) lines[lines.length - 1] = on;
    else if (lines.at(-1)) lines.push(part);
    else lines[0] = part;
    while (pen.measureText(lines.at(-1).trimEnd()).width > wide) {
      const line = lines.pop();
      let end = line.length - 1;
      while (end > 1 && pen.measureText(line.slice(0, end)).width > wide) end -= 1;
      lines.push(line.slice(0, end), line.slice(end));
    }
  }
  return lines.map((line) => line.trimEnd());
}

/** Draws one picture into a box as the pane shows it: contained, zoomed, moved. */
function lay(pen, { picture, slate, aligned: moves }, { x, y, wide, high }, view, alpha = 1) {
  if (!picture) {
    pen.fillStyle = '#fff';
    pen.fillText(slate, x + 3 * GAP, y + high / 2);
    return;
  }
  const fit = contain(sizeOf(picture), [wide, high]);
  // What is moved alone is moved by shares of its own picture, as --fit-x has it on the page.
  const aligned = moves ? [view.alignX * fit.width, view.alignY * fit.height] : [0, 0];
  pen.save();
  pen.beginPath();
  pen.rect(x, y, wide, high);
  pen.clip();
  pen.globalAlpha = alpha;
  pen.imageSmoothingEnabled = view.zoom < 3;
  pen.translate(x + wide / 2, y + high / 2);
  pen.scale(view.zoom, view.zoom);
  pen.translate(wide * (view.panX - 0.5) + aligned[0], high * (view.panY - 0.5) + aligned[1]);
  pen.drawImage(picture, fit.x, fit.y, fit.width, fit.height);
  pen.restore();
}

function over(pen, [under, upper], box, view, difference) {
  if (view.mode === 'difference') {
    const awaited = [under, upper].find((clip) => clip?.slate);
    lay(pen, difference ? { picture: difference } : awaited ?? under, box, view);
    return;
  }
  lay(pen, under, box, view);
  if (!upper) return;
  if (view.mode === 'wipe') {
    const from = box.wide * view.split;
    pen.save();
    pen.beginPath();
    pen.rect(box.x + from, box.y, box.wide - from, box.high);
    pen.clip();
    pen.fillStyle = '#000';
    pen.fillRect(box.x, box.y, box.wide, box.high);
    lay(pen, upper, box, view);
    pen.restore();
  } else {
    lay(pen, upper, box, view, view.mix);
  }
}
