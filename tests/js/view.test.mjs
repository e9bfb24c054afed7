// Views: limits, zooming about a point, and addresses there and back.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  LIMITS, MODES, PLAIN, changeView, fromAddress, panBy, pinch, toAddress, zoomAbout,
} from '../../static/js/lib/view.js';

const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);
const query = (parts) => new URLSearchParams(parts.filter(([, text]) => text !== null));
/** Where a point of the picture is seen, as shares from the middle. */
const seenAt = (view, point) => view.zoom * (point + view.panX);

test('what is set stays within its limits, and nonsense changes nothing', () => {
  const view = changeView(PLAIN, { split: 7, gain: NaN, zoom: 99, mode: 'upside-down', hz: 60 });
  assert.equal(view.split, 1);
  assert.equal(view.gain, PLAIN.gain);
  assert.equal(view.zoom, LIMITS.zoom.max);
  assert.equal(view.mode, 'side');
  assert.equal(view.hz, 3);
});

test('the point that is zoomed about stays where it is', () => {
  let view = PLAIN;
  for (const [factor, x] of [[2, 0.2], [1.5, -0.1], [3, 0.3]]) {
    const point = x / view.zoom - view.panX;
    view = zoomAbout(view, factor, { x, y: 0 });
    near(seenAt(view, point), x);
  }
});

test('what is under two fingers stays under them', () => {
  const before = changeView(PLAIN, { zoom: 4, panX: 0.05, panY: -0.1 });
  const point = -0.1 / 4 - before.panX; // under the middle of the fingers
  const after = pinch(before, { x: -0.1, y: 0.2, span: 100 }, { x: 0.05, y: 0.1, span: 150 });
  near(after.zoom, 6);
  near(seenAt(after, point), 0.05);
  const [left, right] = [-0.2, 0].map((x) => x / 4 - before.panX); // the fingers themselves
  near(seenAt(after, right) - seenAt(after, left), 0.2 * 1.5);
  assert.equal(pinch(before, { x: 0, y: 0, span: 1 }, { x: 0, y: 0, span: 1e9 }).zoom, LIMITS.zoom.max);
});

test('the edge of the picture never comes into the pane', () => {
  for (const zoom of [1, 1.5, 4, 16]) {
    const view = panBy(changeView(PLAIN, { zoom }), { x: 100, y: -100 });
    near(seenAt(view, -0.5), -0.5);
    const back = zoomAbout(view, 1 / 16, { x: 0.4, y: 0.4 });
    near(back.panX, 0);
    near(back.panY, 0);
  }
});

test('unlocked, a drag moves the second clip alone', () => {
  const view = panBy(changeView(PLAIN, { zoom: 2, locked: false }), { x: 0.1, y: 0 });
  near(view.alignX, 0.05);
  near(view.panX, 0);
  // In shares of its picture, which takes half of the pane's width here.
  near(panBy(view, { x: 0.1, y: 0 }, { x: 0.5, y: 1 }).alignX, 0.15);
});

test('a plain comparison adds nothing to its address', () => {
  const state = { view: PLAIN, timeS: 0, rate: 1, loop: { on: false, inS: 1, outS: 2 } };
  assert.equal(query(toAddress({ ...state, base: 'time', swapped: false })).toString(), '');
});

test('an address brings everything back that it carries', () => {
  for (const mode of MODES) {
    const view = changeView(PLAIN, {
      mode, split: 0.25, mix: 0.75, hz: 1.5, gain: 8, heat: true, zoom: 2.5, panX: 0.1,
      panY: -0.2, alignX: 0.0125, alignY: -0.03,
    });
    const loop = { on: true, inS: 1.25, outS: 3.5 };
    const state = { view, timeS: 4.166667, rate: 0.25, loop, base: 'frame', swapped: true };
    const back = fromAddress(query(toAddress(state)));
    assert.deepEqual({ ...back, view: undefined }, { ...state, view: undefined });
    const own = { wipe: 'split', overlay: 'mix', flicker: 'hz', difference: 'gain' }[mode];
    for (const name of ['mode', 'zoom', 'panX', 'panY', 'alignX', 'alignY', own].filter(Boolean)) {
      assert.equal(back.view[name], view[name], `${mode} ${name}`);
    }
  }
});

test('which two are laid over each other is carried where any are, and must be two', () => {
  const state = { timeS: 0, rate: 1, loop: { on: false, inS: null, outS: null }, swapped: false };
  const carried = (change) => query(toAddress({ ...state, view: changeView(PLAIN, change) }));
  assert.equal(carried({ mode: 'wipe', of: 'ag' }).get('of'), 'ag');
  assert.equal(fromAddress(carried({ mode: 'wipe', of: 'ga' })).view.of, 'ga');
  assert.equal(carried({ mode: 'side', of: 'ag' }).get('of'), null);
  for (const of of ['aa', 'a', 'az', 'abc', '']) {
    assert.equal(carried({ mode: 'wipe', of }).get('of'), null, of);
    assert.equal(fromAddress(new URLSearchParams({ mode: 'wipe', of })).view.of, null, of);
  }
});

test('loops without a beginning or an end come back as such', () => {
  for (const loop of [{ on: true, inS: null, outS: null }, { on: true, inS: 2, outS: null }]) {
    const state = { view: PLAIN, timeS: 0, rate: 1, loop, base: 'time', swapped: false };
    assert.deepEqual(fromAddress(query(toAddress(state))).loop, loop);
  }
});

test('an address that says nonsense says nothing', () => {
  const found = fromAddress(new URLSearchParams(
    't=-3&rate=9&mode=x&zoom=1e9,a,b&loop=9&base=luck&split=%00&gain=Infinity'));
  assert.deepEqual(found, { view: PLAIN, swapped: false });
});
