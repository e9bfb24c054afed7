/**
 * A mark that steps along a cadence strip at the cell's own rate while it is pointed at: the
 * rate, felt. One crossing is one second. Nothing moves under prefers-reduced-motion.
 */

const CELLS = '[data-fps]';
const still = matchMedia('(prefers-reduced-motion: reduce)');

let moving = null;

function start(cell) {
  const fps = Number(cell.dataset.fps);
  const strip = cell.querySelector('svg.cadence');
  if (!fps || !strip || still.matches || moving?.cell === cell) return;
  stop();
  const box = document.createElement('span');
  box.className = 'cadence-run';
  const mark = document.createElement('span');
  mark.className = 'cadence-mark';
  box.append(mark);
  strip.after(box);
  const place = strip.getBoundingClientRect();
  const frame = box.offsetParent.getBoundingClientRect();
  Object.assign(box.style, {
    left: `${place.left - frame.left}px`,
    top: `${place.top - frame.top}px`,
    width: `${place.width}px`,
    height: `${place.height}px`,
  });
  // Whole frames only: a crossing of n frames at fps, as near to one second as n allows.
  const frames = Math.max(1, Math.round(fps));
  const animation = mark.animate(
    [{ transform: 'translateX(0)' }, { transform: 'translateX(100%)' }],
    { duration: (frames / fps) * 1000, iterations: Infinity, easing: `steps(${frames}, end)` },
  );
  moving = { cell, box, animation };
}

function stop() {
  moving?.animation.cancel();
  moving?.box.remove();
  moving = null;
}

/** Starts or stops as the event, a pointerover or focusin, says. */
export function follow({ type, target, pointerType }) {
  if (pointerType === 'touch') return;
  const cell = target.closest?.(CELLS);
  if (cell && (type !== 'focusin' || target.matches(':focus-visible'))) start(cell);
  else stop();
}

document.addEventListener('pointerover', follow);
document.addEventListener('focusin', follow);
document.addEventListener('visibilitychange', stop);
