/**
 * The bar of <clip-pair>: the table of commands, the markup made from it, and what it shows.
 *
 * It asks for nothing itself: a button sends "clip-pair-request" with its command's name, and
 * the element acts. Geometry is the stylesheet's; this file sets only --position, --common,
 * --loop-in and --loop-out (0 to 1) on the track.
 */

import { element, setAttribute, write } from '../lib/dom.js';
import { clamp, clockText, formatDuration, spokenTime } from '../lib/transport.js';

const JUMP_S = 1;
const NUDGE_S = 0.1;
const RATE_STEPS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];
const ZOOM = 1.5;
export const BASE_NAMES = {
  time: 'same time', frame: 'same frame', fraction: 'same fraction', live: 'as live',
};

/** The next step up (1) or down (-1) from a rate that may be none of them. */
function nextRate(rate, direction) {
  const further = RATE_STEPS.filter((step) => (step - rate) * direction > 1e-9);
  return (direction > 0 ? further[0] : further.at(-1)) ?? rate;
}

/** Every command: its keys, its name, its icon (a path in a 24 x 24 box), and what it does. */
export const COMMANDS = Object.freeze({
  toggle: {
    keys: [' ', 'k'], label: 'Play', pressedLabel: 'Pause',
    icon: 'M8 5v14l11-7z', pressedIcon: 'M7 5h4v14H7zM13 5h4v14h-4z',
    run: (pair) => pair.toggle(),
  },
  back: {
    keys: ['j'], label: 'Back 1 second', icon: 'M12 6l-8 6 8 6zM20 6l-8 6 8 6z',
    run: (pair) => pair.seek(pair.timeS - JUMP_S),
  },
  previous: {
    keys: [','], label: 'Previous frame', icon: 'M6 6h3v12H6zM19 6l-9 6 9 6z',
    needs: 'timestamps', run: (pair) => pair.step(-1),
  },
  next: {
    keys: ['.'], label: 'Next frame', icon: 'M5 6l9 6-9 6zM15 6h3v12h-3z',
    needs: 'timestamps', run: (pair) => pair.step(1),
  },
  forward: {
    keys: ['l'], label: 'Forward 1 second', icon: 'M4 6l8 6-8 6zM12 6l8 6-8 6z',
    run: (pair) => pair.seek(pair.timeS + JUMP_S),
  },
  'loop-in': {
    keys: ['['], label: 'Loop from here', icon: 'M9 4h6v3h-3v10h3v3H9z',
    run: (pair) => pair.loopFrom(pair.timeS),
  },
  loop: {
    keys: ['o'], label: 'Loop', toggles: 'loop',
    icon: 'M7 7h9V4l5 5-5 5v-3H9v3H5V9a2 2 0 0 1 2-2zM17 17H8v3l-5-5 5-5v3h7v-1h4v3a2 2 0 0 1-2 2z',
    run: (pair) => pair.setLoop({ on: !pair.state.loop.on }),
  },
  'loop-out': {
    keys: [']'], label: 'Loop to here', icon: 'M15 4H9v3h3v10H9v3h6z',
    run: (pair) => pair.loopTo(pair.timeS),
  },
  slower: {
    keys: ['<'], label: 'Slower', hidden: true,
    run: (pair) => pair.setRate(nextRate(pair.state.rate, -1)),
  },
  faster: {
    keys: ['>'], label: 'Faster', hidden: true,
    run: (pair) => pair.setRate(nextRate(pair.state.rate, 1)),
  },
  side: {
    keys: ['s'], label: 'Side by side', mode: true, icon: 'M3 5h8v14H3zM13 5h8v14h-8z',
    run: (pair) => pair.setView({ mode: 'side' }),
  },
  wipe: {
    keys: ['w'], label: 'Wipe', mode: true, pairOnly: true,
    icon: 'M3 5h8V2h2v20h-2v-3H3zM15 5h6v14h-6v-2h4V7h-4z',
    run: (pair) => pair.setView({ mode: 'wipe' }),
  },
  overlay: {
    keys: ['v'], label: 'Overlay', mode: true, pairOnly: true,
    icon: 'M3 3h12v4h6v14H9v-4H3zM9 9v6h6V9z',
    run: (pair) => pair.setView({ mode: 'overlay' }),
  },
  flicker: {
    keys: ['b'], label: 'Flicker', mode: true, pairOnly: true,
    icon: 'M3 5h5v14H3zM10 5h2v14h-2zM14 5h5v2h-3v10h3v2h-5zM20 5h2v14h-2z',
    run: (pair) => pair.setView({ mode: 'flicker' }),
  },
  difference: {
    keys: ['d'], label: 'Difference', mode: true, pairOnly: true,
    icon: 'M10 4h4v4h4v4h-4v4h-4v-4H6V8h4zM6 18h12v3H6z',
    run: (pair) => pair.setView({ mode: 'difference' }),
  },
  heat: {
    keys: ['h'], label: 'Difference as signed heat', hidden: true,
    run: (pair) => pair.setView({ mode: 'difference', heat: !pair.view.heat }),
  },
  'zoom-out': {
    keys: ['-'], label: 'Smaller', icon: 'M5 11h14v2H5z', run: (pair) => pair.zoom(1 / ZOOM),
  },
  'zoom-fit': {
    keys: ['0'], label: 'Whole picture', icon: 'M3 5h18v14H3zM5 7v10h14V7z',
    run: (pair) => pair.setView({ zoom: 1, panX: 0, panY: 0, alignX: 0, alignY: 0, locked: true }),
  },
  'zoom-in': {
    keys: ['+', '='], label: 'Larger', icon: 'M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z',
    run: (pair) => pair.zoom(ZOOM),
  },
  align: {
    keys: ['u'], label: 'Move the second clip alone', toggles: 'unlocked', pairOnly: true, ofTwo: true,
    icon: 'M12 2l4 4h-3v5h5V8l4 4-4 4v-3h-5v5h3l-4 4-4-4h3v-5H6v3l-4-4 4-4v3h5V6H8z',
    run: (pair) => pair.setView({ locked: !pair.view.locked }),
  },
  swap: {
    keys: ['x'], label: 'Swap sides', toggles: 'swapped', ofTwo: true,
    icon: 'M8 4l-5 5 5 5v-4h13V8H8zM16 20l5-5-5-5v4H3v2h13z',
    run: (pair) => pair.toggleAttribute('swapped'),
  },
  link: {
    keys: ['c'], label: 'Copy link to this view',
    icon: 'M9 7H6a5 5 0 0 0 0 10h3v-2H6a3 3 0 0 1 0-6h3zM15 7h3a5 5 0 0 1 0 10h-3v-2h3a3 3 0 0 0 0-6h-3zM8 11h8v2H8z',
    run: (pair) => pair.copyLink(),
  },
  embed: {
    keys: ['e'], label: 'Copy code that embeds this view',
    icon: 'M8 6l2 2-4 4 4 4-2 2-6-6zM16 6l6 6-6 6-2-2 4-4-4-4z',
    run: (pair) => pair.copyFrame(),
  },
  picture: {
    keys: ['p'], label: 'Save this view as a picture', icon: 'M11 3h2v8h4l-5 6-5-6h4zM4 18h16v3H4z',
    run: (pair) => pair.savePicture(),
  },
  full: {
    keys: ['f'], label: 'Full screen', icon: 'M4 4h7v2H6v5H4zM20 20h-7v-2h5v-5h2zM13 4h7v7h-2V6h-5zM11 20H4v-7h2v5h5z',
    run: (pair) => pair.toggleFullScreen(),
  },
  help: {
    keys: ['?'], label: 'Keys', hidden: true, run: (pair) => pair.toggleHelp(),
  },
});

const commandByKey = new Map(
  Object.entries(COMMANDS).flatMap(([name, { keys }]) => keys.map((key) => [key, name])),
);

/** The name of the command that a keydown asks for, if any. */
export function commandOf(event) {
  return commandByKey.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

/** Where a key on the time bar leads, in seconds; undefined where it has no meaning there. */
export function seekGoal(key, { timeS, endS }) {
  return {
    ArrowLeft: timeS - NUDGE_S, ArrowDown: timeS - NUDGE_S,
    ArrowRight: timeS + NUDGE_S, ArrowUp: timeS + NUDGE_S,
    PageDown: timeS - JUMP_S, PageUp: timeS + JUMP_S,
    Home: 0, End: endS,
  }[key];
}

// ── markup ─────────────────────────────────────────────────────────────────────────────────

/** The bar's parts by name; parts.bar holds the others. */
export function buildBar(pair) {
  const buttons = Object.fromEntries(
    Object.entries(COMMANDS)
      .filter(([, command]) => !command.hidden)
      .map(([name, command]) => [name, commandButton(name, command)]),
  );
  const seek = element('input', {
    type: 'range', class: 'transport-seek', min: '0', max: '0', step: 'any', value: '0',
    'aria-label': 'Time',
  });
  const track = element('div', { class: 'transport-track' }, seek);
  const time = element('span', { class: 'transport-time' });
  const rate = element('select', { class: 'transport-rate', 'aria-label': 'Speed' },
    ...RATE_STEPS.map((step) => option(step)));
  const base = element('select', { class: 'transport-rate', 'aria-label': 'Clips side by side at' },
    ...Object.entries(BASE_NAMES).map(([value, name]) => element('option', { value }, name)));
  const readout = element('span', { class: 'transport-readout' });
  const span = element('span', { class: 'transport-span' });
  const inexact = element('p', { class: 'transport-inexact', hidden: '' });
  const told = element('span', { class: 'transport-told', 'aria-hidden': 'true' });
  const live = element('span', { class: 'transport-live', role: 'status' });
  const help = helpPanel(pair);
  const row = element('div', { class: 'transport-row' },
    group('transport-play', buttons.toggle, buttons.back, buttons.previous, buttons.next,
      buttons.forward),
    time, readout,
    group('transport-loop', buttons['loop-in'], buttons.loop, buttons['loop-out']),
    element('label', { class: 'transport-speed' }, element('span', {}, 'Speed'), rate),
    element('label', { class: 'transport-speed' }, element('span', {}, 'At'), base));
  const modes = Object.keys(COMMANDS).filter((name) => COMMANDS[name].mode)
    .map((name) => buttons[name]);
  const modeGroup = group('view-modes', ...modes);
  setAttribute(modeGroup, 'role', 'group');
  setAttribute(modeGroup, 'aria-label', 'View');
  const view = element('div', { class: 'transport-row view-row' }, modeGroup,
    group('transport-view', buttons['zoom-out'], buttons['zoom-fit'], buttons['zoom-in'],
      buttons.align, buttons.swap, buttons.link, buttons.embed, buttons.picture, buttons.full));
  const lanes = element('details', { class: 'transport-lanes' },
    element('summary', {}, 'Frame by frame'), element('div', { class: 'lanes' }));
  const bar = element('div', { class: 'transport', role: 'group', 'aria-label': 'Player' },
    track, lanes, row, view, element('div', { class: 'transport-foot' }, span, told, help, inexact), live);
  return { bar, buttons, seek, track, time, rate, base, view, readout, span, inexact, told, live, help,
    lanes };
}

function group(name, ...children) {
  return element('div', { class: name }, ...children);
}

function option(rate) {
  const made = element('option', { value: String(rate) }, `${rate}×`);
  made.defaultSelected = rate === 1;
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

function commandButton(name, command) {
  const button = element('button', {
    type: 'button', class: 'transport-button', 'data-command': name,
    'aria-keyshortcuts': command.keys.map((key) => (key === ' ' ? 'Space' : key)).join(' '),
  });
  const icon = document.createElementNS(SVG, 'svg');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  icon.append(document.createElementNS(SVG, 'path'));
  button.append(icon);
  if (command.mode) button.append(element('span', {}, command.label));
  button.addEventListener('click', () => {
    const detail = { command: name };
    button.dispatchEvent(new CustomEvent('clip-pair-request', { bubbles: true, detail }));
  });
  return button;
}

/** The table of keys, and the switch that keeps them from acting on the whole page. */
function helpPanel(pair) {
  const list = element('dl', { class: 'transport-keys' });
  for (const { keys, label } of Object.values(COMMANDS)) {
    const names = keys.map((key) => element('kbd', {}, keyName(key)));
    list.append(element('div', {}, element('dt', {}, ...names), element('dd', {}, label)));
  }
  list.append(element('div', {}, element('dt', {}, element('kbd', {}, '← →')),
    element('dd', {}, 'On the time bar: a tenth of a second')));
  const everywhere = element('input', { type: 'checkbox' });
  everywhere.checked = pair.getAttribute('keys') === 'page';
  everywhere.addEventListener('change', () => {
    if (everywhere.checked) pair.setAttribute('keys', 'page');
    else pair.removeAttribute('keys');
  });
  return element('details', { class: 'transport-help' },
    element('summary', {}, 'Keys'), list,
    element('label', {}, everywhere, ' Keys work anywhere on this page'));
}

function keyName(key) {
  return key === ' ' ? 'space' : key;
}

// ── showing ────────────────────────────────────────────────────────────────────────────────

/** Shows the pair's state; while the viewer drags the time bar (seeking), it is left alone. */
export function showBar(parts, state, seeking) {
  showTime(parts, state, seeking);
  write(parts.span, spanText(state));
  if (parts.rate.value !== String(state.rate)) showRate(parts.rate, state.rate);
  const on = {
    toggle: state.playing, loop: state.loop.on, swap: state.swapped, align: !state.view.locked,
    [state.view.mode]: true,
  };
  const bothLive = state.two.every((side) => state.clips[side] && !state.clips[side].failed);
  for (const [name, button] of Object.entries(parts.buttons)) {
    const command = COMMANDS[name];
    showButton(button, command, Boolean(on[name]));
    button.disabled = (command.needs === 'timestamps' && !state.steps)
      || (command.pairOnly && !bothLive) || (command.ofTwo && !state.ofTwo) || !state.endS;
  }
  if (parts.base.value !== state.base) parts.base.value = state.base;
  parts.base.disabled = !state.exact;
}

/** `, frame A 12, B 9`, of the clips whose frames are known, counted from 0 as under the pictures. */
function spokenFrames(clips) {
  const frames = Object.entries(clips).filter(([, { frame }]) => frame !== null)
    .map(([side, { frame }]) => `${side.toUpperCase()} ${frame}`);
  return frames.length ? `, frame ${frames.join(', ')}` : '';
}

function showTime({ seek, time, track }, { timeS, endS, commonS, loop, clips }, seeking) {
  setAttribute(seek, 'max', String(endS));
  if (!seeking) seek.value = String(timeS);
  setAttribute(seek, 'aria-valuetext', spokenTime(timeS, endS) + spokenFrames(clips));
  write(time, clockText(timeS, endS));
  const share = (value) => String(endS ? clamp(value / endS, 0, 1) : 0);
  const properties = {
    '--position': share(timeS), '--common': commonS ? share(commonS) : '1',
    '--loop-in': share(loop.inS ?? 0), '--loop-out': share(loop.outS ?? endS),
  };
  for (const [name, value] of Object.entries(properties)) {
    if (track.style.getPropertyValue(name) !== value) track.style.setProperty(name, value);
  }
}

/** Sides as a sentence lists them: "A", "A and B", "A, B and C". */
export function listText(sides) {
  const names = sides.map((side) => side.toUpperCase());
  const last = names.pop();
  return names.length ? `${names.join(', ')} and ${last}` : last;
}

/** How long which clips have a picture of their own. */
function spanText({ endS, commonS, clips }) {
  const live = Object.keys(clips).filter((side) => !clips[side].failed);
  const known = live.filter((side) => clips[side].durationS);
  if (!known.length) return '';
  if (live.length === 1) return `${listText(live)} only: ${formatDuration(endS)}`;
  if (known.length < live.length) {
    const rest = live.filter((side) => !known.includes(side));
    return `${listText(known)}: ${formatDuration(endS)}, ${listText(rest)}: length not known yet`;
  }
  const longer = live.filter((side) => clips[side].durationS > commonS + 0.05);
  const all = live.length === 2 ? 'Both clips' : `All ${live.length} clips`;
  if (!longer.length) return `${all}: ${formatDuration(commonS)}`;
  const longest = longer.filter((side) => clips[side].durationS > endS - 0.05);
  const who = longer.length === 1 ? `${listText(longer)} alone`
    : longest.length === longer.length ? listText(longest) : `fewer, last ${listText(longest)},`;
  return `Common ${formatDuration(commonS)}, then ${who} to ${formatDuration(endS)}`;
}

/** Shows a rate that may be none of the steps. */
function showRate(select, rate) {
  const listed = [...select.options].some((one) => one.value === String(rate));
  if (!listed) select.append(option(rate));
  select.value = String(rate);
}

function showButton(button, command, pressed) {
  const label = (pressed && command.pressedLabel) || command.label;
  setAttribute(button, 'aria-label', label);
  setAttribute(button, 'title', `${label} (${command.keys.map(keyName).join(' or ')})`);
  setAttribute(button.querySelector('path'), 'd',
    (pressed && command.pressedIcon) || command.icon);
  if (command.toggles || command.mode) setAttribute(button, 'aria-pressed', String(pressed));
}
