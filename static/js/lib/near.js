/**
 * What lies far below costs nobody anything until somebody goes there.
 *
 * Until the first sign of a visitor only what is in sight counts as near; from then on a whole
 * screen above and below does, so that things are there before they are reached.
 */

const SIGNS = ['pointermove', 'pointerdown', 'touchstart', 'wheel', 'scroll', 'keydown'];

let margin = '0px';
const waiting = new Set();

function observe(one) {
  one.observer?.disconnect();
  one.observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      one.observer.unobserve(target);
      one.elements.delete(target);
      one.act(target);
    }
    if (!one.elements.size) waiting.delete(one);
  }, { rootMargin: margin });
  for (const element of one.elements) one.observer.observe(element);
}

function somebodyIsThere() {
  for (const sign of SIGNS) removeEventListener(sign, somebodyIsThere, true);
  margin = '100% 0px';
  for (const one of waiting) observe(one);
}

for (const sign of SIGNS) {
  addEventListener(sign, somebodyIsThere, { capture: true, passive: true });
}

/** Calls act(element) once for each of the elements, when it is near. */
export function whenNear(elements, act) {
  const one = { elements: new Set(elements), act, observer: null };
  waiting.add(one);
  observe(one);
}
