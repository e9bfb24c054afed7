/**
 * Reads the frame code at the bottom of a test card.
 *
 * Pure: takes anything with data (RGBA bytes), width and height, such as an ImageData. Two rows
 * of 20 cells: sync pair, 16 bits of frame number, even parity, black; the lower row is the
 * complement of the upper one, so that a blank, blurred or cropped picture is never a number.
 */

const CELLS = 20;
const BITS = 16;
const FIRST_BIT = 2;

/** Height of each of the two rows, in pixels, on a picture so high. */
export function rowHeightOf(pictureHeight) {
  return 2 * Math.floor(pictureHeight / 48);
}

/**
 * Frame number of the picture, 0 to 65535, or null where it carries no sound code. Of a picture
 * `pictureHeight` high the image may be only the foot.
 */
export function readFrameCode(image, pictureHeight = image.height) {
  const rowHeight = rowHeightOf(pictureHeight);
  if (rowHeight === 0 || image.width < CELLS * 2) return null;
  const upper = readRow(image, image.height - 2 * rowHeight, rowHeight);
  const lower = readRow(image, image.height - rowHeight, rowHeight);
  if (upper.some((bit, cell) => bit === lower[cell])) return null;
  if (!upper[0] || upper[1] || upper[CELLS - 1]) return null;
  const bits = upper.slice(FIRST_BIT, FIRST_BIT + BITS);
  const ones = bits.filter(Boolean).length;
  if ((ones % 2 === 1) !== upper[FIRST_BIT + BITS]) return null;
  return bits.reduce((number, bit) => number * 2 + Number(bit), 0);
}

function readRow(image, top, height) {
  return Array.from({ length: CELLS }, (_, cell) => {
    const left = Math.floor((cell * image.width) / CELLS);
    const right = Math.floor(((cell + 1) * image.width) / CELLS);
    return meanLuma(image, middleHalf(left, right), middleHalf(top, top + height)) > 128;
  });
}

function middleHalf(from, to) {
  const quarter = (to - from) / 4;
  return [Math.floor(from + quarter), Math.ceil(to - quarter)];
}

/** Mean BT.709 luma, 0 to 255, of the pixels in [left, right) x [top, bottom). */
function meanLuma({ data, width }, [left, right], [top, bottom]) {
  let sum = 0;
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const at = 4 * (y * width + x);
      sum += 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
    }
  }
  return sum / ((right - left) * (bottom - top));
}
