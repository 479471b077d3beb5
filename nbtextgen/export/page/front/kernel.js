// Products with 128-bit instructions: the weights lie in the memory of a small WebAssembly module (see kernel.py).

/** Numbers beside the weights, for the vectors of one call and their results. */
const SCRATCH_NUMBERS = 1 << 20;
const PAGE_NUMBERS = 1 << 14;

/** Numbers of a matrix that several vectors read before the next ones, so that they stay in the processor's cache. */
const TILE_NUMBERS = 1 << 15;

/** @typedef {(vectors: number, matrix: number, results: number, columns: number, rows: number, spread: number) => void} Multiply */

class Kernel {
  /**
   * Makes room for weights; raises an error where there is no WebAssembly with 128-bit instructions.
   *
   * @param {string} code base64
   * @param {number} numbers of all weights
   * @param {number} widest the largest sum of rows and columns of a weight
   */
  constructor(code, numbers, widest) {
    const room = numbers + Math.max(SCRATCH_NUMBERS, 4 * widest);
    const memory = new WebAssembly.Memory({ initial: Math.ceil(room / PAGE_NUMBERS) });
    const module = new WebAssembly.Module(decodeBase64(code));
    const functions = new WebAssembly.Instance(module, { page: { memory } }).exports;
    this.one = /** @type {Multiply} */ (functions.one);
    this.four = /** @type {Multiply} */ (functions.four);
    this.numbers = new Float32Array(memory.buffer);
    this.scratch = numbers;
  }

  /**
   * Multiplies `inputs (count, columns)` by a weight that lies in the memory, into `result (count, rows)`.
   *
   * @param {Float32Array} inputs
   * @param {number} count
   * @param {Matrix} weight
   * @param {Float32Array} result
   */
  multiply(inputs, count, { values, rows, columns }, result) {
    const most = Math.floor((this.numbers.length - this.scratch) / (rows + columns));
    const tile = count > 4 ? Math.max(2, Math.floor(TILE_NUMBERS / columns)) : rows;
    for (let start = 0; start < count; start += most) {
      const part = Math.min(most, count - start);
      const results = this.scratch + part * columns;
      this.numbers.set(inputs.subarray(start * columns, (start + part) * columns), this.scratch);
      for (let row = 0; row < rows; row += tile) {
        const matrix = values.byteOffset + 4 * row * columns;
        this.multiplyTile(part, matrix, 4 * (results + row), columns, Math.min(tile, rows - row), rows);
      }
      result.set(this.numbers.subarray(results, results + part * rows), start * rows);
    }
  }

  /**
   * Multiplies all vectors by some rows of a matrix, given by their addresses.
   *
   * @param {number} count
   * @param {number} matrix
   * @param {number} results
   * @param {number} columns
   * @param {number} rows
   * @param {number} spread
   */
  multiplyTile(count, matrix, results, columns, rows, spread) {
    for (let vector = 0; vector < count; ) {
      const four = vector + 4 <= count;
      const inputs = 4 * (this.scratch + vector * columns);
      (four ? this.four : this.one)(inputs, matrix, results + 4 * vector * spread, columns, rows, spread);
      vector += four ? 4 : 1;
    }
  }
}

/**
 * The kernel with room for some weights, or null where the browser cannot run it; the engine then computes in JavaScript.
 *
 * @param {string} code base64
 * @param {TensorPlace[]} places
 */
function openKernel(code, places) {
  try {
    const sizes = places.map(({ shape }) => shape.reduce((product, length) => product * length, 1));
    const widths = places.map(({ shape }, index) => {
      const columns = shape[shape.length - 1];
      return columns + sizes[index] / columns;
    });
    return new Kernel(
      code,
      sizes.reduce((whole, size) => whole + size, 0),
      Math.max(...widths),
    );
  } catch {
    return null;
  }
}
