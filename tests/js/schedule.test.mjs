// Which frame is due when: held against closed forms and against a plain search.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  advance, between, changeFrom, dueFrame, knownUntil, lapOf, schedulesIn,
} from '../../static/js/lib/schedule.js';

const even = (count, rate) => Array.from({ length: count }, (_, i) => i / rate);
const clip = (count, rate, more = {}) => (
  { timestampsS: even(count, rate), durationS: count / rate, ...more });
const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);

function random(seed) { // mulberry32, so that a failure can be repeated
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

test('the frame due is the last one that has appeared, as a plain search finds it', () => {
  const draw = random(1);
  for (let run = 0; run < 200; run += 1) {
    const stamps = Array.from({ length: 1 + Math.floor(draw() * 40) }, () => draw() * 10).sort(
      (a, b) => a - b);
    const timeS = draw() * 11;
    const plain = stamps.filter((stampS) => stampS <= timeS).length - 1;
    assert.equal(dueFrame(stamps, timeS), Math.max(0, plain));
  }
});

test('a frame is due from its own stamp on, whatever the sums of seconds lose', () => {
  const stamps = even(1000, 49.35);
  let sumS = 0;
  for (let i = 0; i < 1000; i += 1) {
    assert.equal(dueFrame(stamps, stamps[i]), i);
    assert.equal(dueFrame(stamps, sumS), i);
    sumS += 1 / 49.35;
  }
});

test('of frames with one stamp the last is due', () => {
  assert.equal(dueFrame([0, 0.5, 0.5, 0.5, 1], 0.7), 3);
});

test('by time every clip follows its own stamps', () => {
  const [a, b] = schedulesIn('time', [clip(24, 24), clip(30, 10)]);
  assert.deepEqual(a, { scheduleS: even(24, 24), endS: 1 });
  assert.deepEqual(b, { scheduleS: even(30, 10), endS: 3 });
});

test('by frame the same numbers show together, past the first clip at its mean rate', () => {
  const [a, b] = schedulesIn('frame', [clip(24, 24), clip(30, 10)]);
  for (const timeS of [0, 0.3, 0.5, 0.99]) {
    assert.equal(dueFrame(a.scheduleS, timeS), dueFrame(b.scheduleS, timeS));
  }
  near(a.endS, 1);
  near(b.endS, 30 / 24);
  assert.equal(dueFrame(b.scheduleS, 29 / 24), 29);
});

test('by fraction all clips end together and are half through together', () => {
  const clips = schedulesIn('fraction', [clip(24, 24), clip(30, 10)]);
  for (const { endS } of clips) near(endS, 3);
  assert.deepEqual(clips.map(({ scheduleS }) => dueFrame(scheduleS, 1.5)), [12, 15]);
});

test('as live frames come at the stated rate, or when the run says they came', () => {
  const arrivalsS = [0.5, 0.6, 2];
  const [a, b] = schedulesIn('live', [clip(3, 24, { fps: 6 }), clip(3, 24, { arrivalsS })]);
  assert.deepEqual(a, { scheduleS: [0, 1 / 6, 2 / 6], endS: 0.5 });
  assert.deepEqual(b.scheduleS, arrivalsS);
  near(b.endS, 3);
  assert.equal(schedulesIn('live', [clip(3, 24, { fps: 6 }), clip(3, 24)]), null);
});

test('an unknown base is refused', () => {
  assert.throws(() => schedulesIn('luck', [clip(3, 3)]), RangeError);
});

test('a clock stops at the end, or goes round and keeps what is over', () => {
  const range = { inS: 2, outS: 5 };
  assert.deepEqual(advance({ lap: 0, timeS: 4.9 }, 0.3, range, false), { lap: 0, timeS: 5 });
  const round = advance({ lap: 0, timeS: 4.9 }, 0.3, range, true);
  assert.equal(round.lap, 1);
  near(round.timeS, 2.2);
  const thrice = advance({ lap: 1, timeS: 2 }, 9.5, range, true);
  assert.equal(thrice.lap, 4);
  near(thrice.timeS, 2.5);
});

test('time along a loop is what was added, however the steps fall', () => {
  const draw = random(2);
  const range = { inS: 0.75, outS: 2.5 };
  let moment = { lap: 0, timeS: 1 };
  let sumS = 0;
  for (let i = 0; i < 500; i += 1) {
    const stepS = draw() * 0.2;
    sumS += stepS;
    moment = advance(moment, stepS, range, true);
    assert.ok(moment.timeS >= range.inS && moment.timeS < range.outS);
  }
  assert.ok(Math.abs(between({ lap: 0, timeS: 1 }, moment, range) - sumS) < 1e-6);
});

test('a loop shows the frames from the one on screen at its start to the last before its end', () => {
  const stamps = even(50, 10);
  assert.deepEqual(lapOf(stamps, { inS: 1.05, outS: 2 }), { first: 10, last: 19, still: false });
  assert.deepEqual(lapOf(stamps, { inS: 7, outS: 9 }), { first: 49, last: 49, still: true });
});

test('what is known ends where the next frame would appear', () => {
  const stamps = even(50, 10);
  const range = { inS: 1, outS: 2 };
  const loop = lapOf(stamps, range);
  assert.deepEqual(knownUntil(stamps, { lap: 0, index: 14 }, loop, range), { lap: 0, timeS: 1.5 });
  assert.deepEqual(knownUntil(stamps, { lap: 0, index: 19 }, loop, range), { lap: 1, timeS: 1 });
  assert.deepEqual(
    knownUntil(stamps, { lap: 0, index: 49 }, null, range), { lap: 0, timeS: Infinity });
});

test('steps forward meet every change of any clip once, and steps back meet them in turn', () => {
  const lists = [even(20, 24), even(20, 15), [0, 0.25, 0.25, 0.9]];
  const changes = [...new Set(lists.flat().map((stampS) => stampS.toFixed(6)))].map(Number)
    .sort((a, b) => a - b);
  const there = [0];
  for (let i = 1; i < changes.length; i += 1) there.push(changeFrom(lists, there.at(-1), 1));
  there.forEach((timeS, i) => assert.ok(Math.abs(timeS - changes[i]) < 1e-5));
  assert.equal(changeFrom(lists, there.at(-1), 1), there.at(-1));
  const back = [there.at(-1)];
  for (let i = 1; i < changes.length; i += 1) back.push(changeFrom(lists, back.at(-1), -1));
  assert.deepEqual(back.reverse(), there);
  assert.equal(changeFrom(lists, 0, -1), 0);
});

test('a step back from within a stretch shows the picture before it, not its own start', () => {
  assert.equal(changeFrom([even(10, 10)], 0.55, -1), 0.4);
});

test('a step back leads back, also while a clip whose first frame is yet to come waits', () => {
  const [early, late] = [[0.5, 1, 1.5], [3, 3.5]];
  assert.equal(changeFrom([early, late], 1.2, -1), 0.5);
  assert.equal(changeFrom([early, late], 3, -1), 1.5); // the late one is not there again
  assert.equal(changeFrom([early, late], 0.2, -1), 0.2); // nothing was there before
  assert.equal(changeFrom([early, late], 0.2, 1), 0.5);
});
