// Lanes under the timeline: what stands where, how high, in which words; tiles of a storyboard.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  envelope, heightOn, outline, quantity, scaleOf, seriesOf, tileAt, tilePlace,
} from '../../static/js/lib/lanes.js';
import { dueFrame, schedulesIn } from '../../static/js/lib/schedule.js';

const even = (count, rate) => Array.from({ length: count }, (_, i) => i / rate);

test('a frame fills the parts in which it is on screen, and no others', () => {
  const schedule = { scheduleS: [0, 1, 2, 3], endS: 4 };
  assert.deepEqual(envelope([5, 1, 7, 3], schedule, 8, 8), [5, 1, 7, 3, null, null, null, null]);
  assert.deepEqual(envelope([5, 1, 7, 3], schedule, 4, 8), [5, 5, 1, 1, 7, 7, 3, 3]);
});

test('where many frames share a part the highest is kept, wherever it stands', () => {
  for (let peak = 0; peak < 1000; peak += 37) {
    const values = Array.from({ length: 1000 }, (_, i) => (i === peak ? 99 : 1));
    const seen = envelope(values, { scheduleS: even(1000, 50), endS: 20 }, 20, 60);
    assert.deepEqual(seen.map((value) => value === 99),
      seen.map((_, part) => part === Math.floor((peak / 1000) * 60 + 1e-9)
        || part === Math.ceil(((peak + 1) / 1000) * 60 - 1e-9) - 1));
  }
});

test('a part shows the frame that is due in its middle, in every base', () => {
  const clips = [
    { timestampsS: even(40, 20), durationS: 2, fps: 8 },
    { timestampsS: even(30, 10), durationS: 3, fps: 4 },
  ];
  for (const base of ['time', 'frame', 'fraction', 'live']) {
    const schedules = schedulesIn(base, clips);
    const totalS = Math.max(...schedules.map(({ endS }) => endS));
    schedules.forEach((schedule, i) => {
      const numbers = clips[i].timestampsS.map((_, index) => index);
      envelope(numbers, schedule, totalS, 4800).forEach((value, part) => {
        const middleS = ((part + 0.5) / 4800) * totalS;
        if (middleS > schedule.endS) return assert.equal(value, null);
        return assert.ok(Math.abs(value - dueFrame(schedule.scheduleS, middleS)) <= 1);
      });
    });
  }
});

test('frames that arrive together are drawn together, and none is lost', () => {
  const schedule = { scheduleS: [0.5, 0.5, 0.5, 1.5, 1.5], endS: 2 };
  assert.deepEqual(envelope([1, 9, 2, 4, 3], schedule, 2, 4), [null, 9, 2, 4]);
});

test('what nobody recorded leaves a gap', () => {
  const schedule = { scheduleS: [0, 1, 2], endS: 3 };
  assert.deepEqual(envelope([1, null, 2], schedule, 3, 3), [1, null, 2]);
  assert.equal(outline([1, null, 2], scaleOf([[1, null, 2]]), 10), 'M0 10V5H1V10ZM2 10V0H3V10Z');
});

test('a scale begins at nothing, unless values lie far apart or below it', () => {
  assert.deepEqual(scaleOf([[3, 6], [12, null]]), { log: false, low: 0, high: 12 });
  assert.deepEqual(scaleOf([[-3, 6]]), { log: false, low: -3, high: 6 });
  const wide = scaleOf([[100, 10_000]]);
  assert.equal(wide.log, true);
  assert.ok(heightOn(wide, 100) > 0.05);
  assert.equal(heightOn(wide, 10_000), 1);
  assert.ok(Math.abs(heightOn(wide, 1000) - (heightOn(wide, 100) + 1) / 2) < 1e-12);
  assert.deepEqual(scaleOf([[0, 0]]), { log: false, low: 0, high: 1 });
  assert.deepEqual(scaleOf([[], [null]]), { log: false, low: 0, high: 1 });
});

test('quantities read as people write them', () => {
  const said = [[12_345, 'bit'], [8000, 'bit'], [640, 'bit'], [1_234_567, 'bit'], [999_600, 'bit'],
    [41.23, 'ms'], [0.91449, ''], [99.5, '%'], [12_345.6, 'px'], [null, 'ms'], [0, 'dB']];
  assert.deepEqual(said.map(([value, unit]) => quantity(value, unit)),
    ['12.3 kbit', '8 kbit', '640 bit', '1.23 Mbit', '1 Mbit', '41.2 ms', '0.914', '99.5 %',
      '12346 px', '–', '0 dB']);
});

test('series of one name and another unit are two', () => {
  const clips = [{ series: [{ name: 'bits', unit: 'bit' }, { name: 'wait', unit: 'ms' }] },
    { series: [{ name: 'bits', unit: 'bit' }, { name: 'wait', unit: 's' }] }, { series: [] }];
  assert.deepEqual(seriesOf(clips).map(({ key }) => key), ['bits', 'wait [ms]', 'wait [s]']);
});

test('a tile shows its own part of the clip', () => {
  const clip = { timestampsS: even(100, 10), durationS: 10 };
  for (let tile = 0; tile < 25; tile += 1) {
    for (const share of [0, 0.5, 0.99]) {
      assert.equal(tileAt(((tile + share) / 25) * 10, clip, 25), tile);
      assert.equal(tileAt(((tile + share) / 25) * 10, { durationS: 10 }, 25), tile);
    }
  }
  assert.equal(tileAt(10, clip, 25), 24);
  assert.equal(tileAt(99, clip, 25), 24);
});

test('where a frame stands longer than a part, tiles go by number, as the sheet is made', () => {
  const timestampsS = [0, 6, 6.1, 6.2];
  const clip = { timestampsS, durationS: 8 };
  assert.deepEqual([0, 5.9, 6, 6.15, 7].map((timeS) => tileAt(timeS, clip, 4)), [0, 0, 1, 2, 3]);
});

test('a tile stands on its sheet where CSS puts percentages', () => {
  const sheet = { columns: 5, rows: 4 };
  assert.deepEqual(tilePlace(0, sheet), [0, 0]);
  assert.deepEqual(tilePlace(4, sheet), [100, 0]);
  assert.deepEqual(tilePlace(7, sheet), [50, 100 / 3]);
  assert.deepEqual(tilePlace(19, sheet), [100, 100]);
  assert.deepEqual(tilePlace(0, { columns: 1, rows: 1 }), [0, 0]);
});
