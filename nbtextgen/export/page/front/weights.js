// The weights of a model, from base64 in the page to arrays of 32-bit numbers.

/**
 * Where a tensor lies in the bytes of the page. A matrix with `scales` holds 8-bit integers, one scale per row; everything
 * else holds 16-bit floating-point numbers.
 *
 * @typedef {object} TensorPlace
 * @property {number[]} shape
 * @property {number} start first byte
 * @property {number} [scales] first byte of the 32-bit scales of its rows
 */

/**
 * A weight: a matrix in rows of `columns` numbers, or a vector as a matrix with one row.
 *
 * @typedef {object} Matrix
 * @property {Float32Array} values
 * @property {number} rows
 * @property {number} columns
 * @property {Kernel | null} kernel in whose memory the values lie
 */

/**
 * Decodes base64.
 *
 * @param {string} text
 * @returns {ArrayBuffer}
 */
function decodeBase64(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes.buffer;
}

/** The value of every 16-bit floating-point number (IEEE 754-2019, binary16). */
function halfPrecisionTable() {
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 15; bits++) {
    const exponent = bits >> 10;
    const fraction = bits & 0x3ff;
    const value =
      exponent === 31
        ? fraction
          ? NaN
          : Infinity
        : exponent
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction * 2 ** -24;
    table[bits] = value;
    table[bits | 0x8000] = -value;
  }
  return table;
}

/**
 * Reads every tensor.
 *
 * @param {ArrayBuffer} bytes
 * @param {TensorPlace[]} places
 * @param {Kernel | null} kernel
 * @returns {Matrix[]}
 */
function readTensors(bytes, places, kernel) {
  const table = halfPrecisionTable();
  let end = 0;
  return places.map(({ shape, start, scales }) => {
    const columns = shape[shape.length - 1];
    const size = shape.reduce((product, length) => product * length, 1);
    const values = kernel ? kernel.numbers.subarray(end, end + size) : new Float32Array(size);
    end += size;
    if (scales === undefined) {
      const halves = new Uint16Array(bytes, start, size);
      for (let index = 0; index < size; index++) values[index] = table[halves[index]];
    } else {
      const integers = new Int8Array(bytes, start, size);
      const rowScales = new Float32Array(bytes, scales, size / columns);
      for (let row = 0; row < rowScales.length; row++) {
        for (let index = row * columns; index < (row + 1) * columns; index++)
          values[index] = integers[index] * rowScales[row];
      }
    }
    return { values, rows: size / columns, columns, kernel };
  });
}
