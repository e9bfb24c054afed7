/**
 * Two pictures' difference, pixel by pixel.
 *
 * Pure: RGBA bytes in, RGBA bytes out, all in Uint8ClampedArrays. Plain: |b - a| of each channel, times gain. Heat: how much
 * lighter b is than a (BT.709 luma, times gain), from blue (a is lighter) over black (the same) to
 * orange (b is lighter).
 */

/** Colours of the heat's two ends, RGB. */
export const HEAT = Object.freeze({ a: [64, 156, 255], b: [255, 140, 26] });

const ramps = new Map(); // gain -> RGBA, packed, for differences of -255 to 255
const scales = new Map(); // gain -> what becomes of a channel's difference of -255 to 255

/**
 * Writes the difference of a and b into out; all three hold the same number of pixels. Pixels are
 * read and written as one number each, red in the lowest byte as on every machine with a browser.
 */
export function difference(a, b, out, { gain, heat }) {
  const [from, to, pixels] = [a, b, out].map((bytes) => (
    new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2)));
  if (heat) warm(from, to, pixels, rampFor(gain));
  else plain(from, to, pixels, scaleFor(gain));
}

function plain(a, b, out, scale) {
  for (let p = 0; p < out.length; p += 1) {
    const x = a[p];
    const y = b[p];
    out[p] = 0xff000000 | scale[((y >>> 16) & 255) - ((x >>> 16) & 255) + 255] << 16
      | scale[((y >>> 8) & 255) - ((x >>> 8) & 255) + 255] << 8
      | scale[(y & 255) - (x & 255) + 255];
  }
}

function warm(a, b, out, ramp) {
  for (let p = 0; p < out.length; p += 1) {
    const x = a[p];
    const y = b[p];
    // Luma in 1/256ths: 54, 183 and 19 of 256.
    const lighter = 54 * ((y & 255) - (x & 255)) + 183 * (((y >>> 8) & 255) - ((x >>> 8) & 255))
      + 19 * (((y >>> 16) & 255) - ((x >>> 16) & 255));
    out[p] = ramp[(lighter >> 8) + 255];
  }
}

/** A channel's difference times gain, kept within a byte. */
function scaleFor(gain) {
  if (!scales.has(gain)) {
    scales.set(gain, Uint8ClampedArray.from({ length: 511 }, (_, i) => Math.abs(i - 255) * gain));
  }
  return scales.get(gain);
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
