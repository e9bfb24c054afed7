/**
 * Two pictures' difference, pixel by pixel.
 *
 * Pure: RGBA bytes in, RGBA bytes out, all in Uint8ClampedArrays. Plain: |b - a| of each channel, times gain. Heat: how much
 * lighter b is than a (BT.709 luma, times gain), from blue (a is lighter) over black (the same) to
 * orange (b is lighter).
 */

/** Colours of the heat's two ends, RGB. */
export const HEAT = Object.freeze({ a: [64, 156, 255], b: [255, 140, 26] });

const ramps = new Map(); // key -> RGBA, packed, for differences of -255 to 255

/** Writes the difference of a and b into out; all three hold the same number of pixels. */
export function difference(a, b, out, { gain, heat }) {
  if (heat) warm(a, b, out, gain);
  else plain(a, b, out, gain);
}

function plain(a, b, out, gain) {
  for (let i = 0; i < a.length; i += 4) {
    out[i] = Math.abs(b[i] - a[i]) * gain;
    out[i + 1] = Math.abs(b[i + 1] - a[i + 1]) * gain;
    out[i + 2] = Math.abs(b[i + 2] - a[i + 2]) * gain;
    out[i + 3] = 255;
  }
}

function warm(a, b, out, gain) {
  const ramp = rampFor(gain);
  const pixels = new Uint32Array(out.buffer, out.byteOffset, out.byteLength >> 2);
  for (let i = 0, p = 0; i < a.length; i += 4, p += 1) {
    // Luma in 1/256ths: 54, 183 and 19 of 256.
    const lighter = 54 * (b[i] - a[i]) + 183 * (b[i + 1] - a[i + 1]) + 19 * (b[i + 2] - a[i + 2]);
    pixels[p] = ramp[(lighter >> 8) + 255];
  }
}

/** The colour, as the four bytes of a pixel, for every difference of luma. */
function rampFor(gain) {
  if (!ramps.has(gain)) {
    const bytes = new Uint8ClampedArray(511 * 4);
    for (let lighter = -255; lighter <= 255; lighter += 1) {
      const share = Math.min(1, (Math.abs(lighter) * gain) / 255);
      const end = lighter < 0 ? HEAT.a : HEAT.b;
      bytes.set([...end.map((value) => value * share), 255], (lighter + 255) * 4);
    }
    ramps.set(gain, new Uint32Array(bytes.buffer));
  }
  return ramps.get(gain);
}
