/** Small hands for elements that build and update their own markup. */

/** A new element; attributes become strings, children may be nodes or texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// These three leave what is already so alone: they are called with every animation frame.

export function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

export function toggle(target, name, isSo) {
  if (target.hasAttribute(name) !== isSo) target.toggleAttribute(name, isSo);
}

export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const sheets = new Map();

/** Loads a style sheet once; waits until it counts, or has failed to come. */
export function style(url) {
  if (!sheets.has(url.href)) {
    sheets.set(url.href, new Promise((resolve) => {
      const link = element('link', { rel: 'stylesheet', href: url.href });
      link.onload = resolve;
      link.onerror = resolve;
      document.head.append(link);
    }));
  }
  return sheets.get(url.href);
}
