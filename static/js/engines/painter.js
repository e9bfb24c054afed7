/**
 * Draws decoded frames onto one canvas a clip, each of the clip's own size: how large, where and
 * over what it is seen is left to the stylesheet.
 */

import { element, setAttribute } from '../lib/dom.js';

export class Painter {
  #canvases = new Map(); // id -> canvas

  /** Draws [{id, frame}], frames or bitmaps of them; a canvas appears with its first picture. */
  paint(changes) {
    for (const { id, frame } of changes) {
      const canvas = this.#canvases.get(id);
      if (!canvas) continue;
      const { displayWidth: width = frame.width, displayHeight: height = frame.height } = frame;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      canvas.getContext('2d', { alpha: false }).drawImage(frame, 0, 0);
      canvas.hidden = false;
    }
  }

  /** Puts an empty canvas over the video of a screen. */
  attach(id, video) {
    this.detach(id);
    const canvas = element('canvas', { class: 'pane-canvas', role: 'img', hidden: '' });
    setAttribute(canvas, 'aria-label', video.getAttribute('aria-label') ?? `Clip ${id}`);
    canvas.width = video.width;
    canvas.height = video.height;
    video.after(canvas);
    this.#canvases.set(id, canvas);
  }

  detach(id) {
    this.#canvases.get(id)?.remove();
    this.#canvases.delete(id);
  }

  canvas(id) {
    return this.#canvases.get(id) ?? null;
  }

  close() {
    for (const id of [...this.#canvases.keys()]) this.detach(id);
  }
}
