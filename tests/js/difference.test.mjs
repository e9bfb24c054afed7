// The difference of two pictures against its definition.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HEAT, difference } from '../../static/js/lib/difference.js';

const pixel = (...rgb) => Uint8ClampedArray.of(...rgb, 255);
function of(a, b, how) {
  const out = new Uint8ClampedArray(a.length);
  difference(a, b, out, how);
  return [...out];
}

test('plain: every channel by itself, times gain, no sign', () => {
  assert.deepEqual(of(pixel(10, 200, 30), pixel(20, 150, 30), { gain: 3, heat: false }),
    [30, 150, 0, 255]);
  assert.deepEqual(of(pixel(0, 0, 0), pixel(255, 128, 1), { gain: 8, heat: false }),
    [255, 255, 8, 255]);
});

test('the same pictures are black in both ways, for every colour', () => {
  for (let value = 0; value < 256; value += 5) {
    const same = pixel(value, 255 - value, (value * 7) % 256);
    for (const heat of [false, true]) {
      assert.deepEqual(of(same, same, { gain: 32, heat }), [0, 0, 0, 255]);
    }
  }
});

test('heat tells which is lighter, and by how much', () => {
  const [dark, light] = [pixel(50, 50, 50), pixel(100, 100, 100)];
  const share = (50 * 4) / 255;
  const expected = (end) => [...end.map((value) => Math.round(value * share)), 255];
  assert.deepEqual(of(dark, light, { gain: 4, heat: true }), expected(HEAT.b));
  assert.deepEqual(of(light, dark, { gain: 4, heat: true }), expected(HEAT.a));
});

test('heat weighs the channels as luma does', () => {
  const black = pixel(0, 0, 0);
  const strength = (rgb) => of(black, pixel(...rgb), { gain: 1, heat: true })[0];
  assert.ok(strength([0, 255, 0]) > strength([255, 0, 0]));
  assert.ok(strength([255, 0, 0]) > strength([0, 0, 255]));
});
