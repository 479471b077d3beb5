// Products of matrices and the functions between them. Several vectors stand in one array, row after row.

/**
 * Multiplies vectors by a matrix, and adds a bias: `inputs (count, columns)` to `(count, rows)`.
 *
 * @param {Float32Array} inputs
 * @param {number} count
 * @param {Matrix} weight
 * @param {Matrix | null} [bias]
 * @returns {Float32Array}
 */
function affine(inputs, count, weight, bias = null) {
  const { values, rows, columns } = weight;
  const result = new Float32Array(count * rows);
  if (weight.kernel) weight.kernel.multiply(inputs, count, weight, result);
  else {
    let row = 0;
    for (; row + 4 <= count; row += 4) multiplyFour(inputs, row, values, rows, columns, result);
    for (; row < count; row++) multiplyOne(inputs, row, values, rows, columns, result);
  }
  if (bias) {
    for (let start = 0; start < result.length; start += rows) {
      for (let index = 0; index < rows; index++) result[start + index] += bias.values[index];
    }
  }
  return result;
}

/**
 * Four sums side by side keep the processor busy; so do four vectors that share every weight read.
 *
 * @param {Float32Array} inputs
 * @param {number} row
 * @param {Float32Array} values
 * @param {number} rows
 * @param {number} columns
 * @param {Float32Array} result
 */
function multiplyOne(inputs, row, values, rows, columns, result) {
  const start = row * columns;
  const whole = columns - (columns % 4);
  for (let output = 0; output < rows; output++) {
    const weights = output * columns;
    let [first, second, third, fourth] = [0, 0, 0, 0];
    let index = 0;
    for (; index < whole; index += 4) {
      first += values[weights + index] * inputs[start + index];
      second += values[weights + index + 1] * inputs[start + index + 1];
      third += values[weights + index + 2] * inputs[start + index + 2];
      fourth += values[weights + index + 3] * inputs[start + index + 3];
    }
    for (; index < columns; index++) first += values[weights + index] * inputs[start + index];
    result[row * rows + output] = first + second + (third + fourth);
  }
}

/**
 * @param {Float32Array} inputs
 * @param {number} row
 * @param {Float32Array} values
 * @param {number} rows
 * @param {number} columns
 * @param {Float32Array} result
 */
function multiplyFour(inputs, row, values, rows, columns, result) {
  const start = row * columns;
  for (let output = 0; output < rows; output++) {
    const weights = output * columns;
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let index = 0; index < columns; index++) {
      const weight = values[weights + index];
      first += weight * inputs[start + index];
      second += weight * inputs[start + columns + index];
      third += weight * inputs[start + 2 * columns + index];
      fourth += weight * inputs[start + 3 * columns + index];
    }
    result[row * rows + output] = first;
    result[(row + 1) * rows + output] = second;
    result[(row + 2) * rows + output] = third;
    result[(row + 3) * rows + output] = fourth;
  }
}

/** @param {number} value */
function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

/**
 * Applies tanh in place.
 *
 * @param {Float32Array} values
 */
function tanhInPlace(values) {
  for (let index = 0; index < values.length; index++) values[index] = Math.tanh(values[index]);
  return values;
}

/**
 * Puts the vectors of several arrays side by side: `(count, a)`, `(count, b)`, ... to `(count, a + b + ...)`.
 *
 * @param {number} count
 * @param {...(Float32Array | null)} arrays null is left out
 */
function concatenate(count, ...arrays) {
  const parts = arrays.filter((array) => array !== null);
  if (parts.length === 1) return parts[0];
  const width = parts.reduce((sum, part) => sum + part.length / count, 0);
  const result = new Float32Array(count * width);
  let offset = 0;
  for (const part of parts) {
    const size = part.length / count;
    for (let row = 0; row < count; row++) result.set(part.subarray(row * size, (row + 1) * size), row * width + offset);
    offset += size;
  }
  return result;
}

/**
 * The logarithm of the sum of exponentials of a part of an array.
 *
 * @param {Float32Array} values
 * @param {number} start
 * @param {number} end
 */
function logSumExp(values, start, end) {
  let highest = -Infinity;
  for (let index = start; index < end; index++) if (values[index] > highest) highest = values[index];
  if (highest === -Infinity) return highest;
  let sum = 0;
  for (let index = start; index < end; index++) sum += Math.exp(values[index] - highest);
  return highest + Math.log(sum);
}

/**
 * Makes a part of an array a distribution, in place.
 *
 * @param {Float32Array} values
 * @param {number} start
 * @param {number} end
 */
function softmaxInPlace(values, start, end) {
  const total = logSumExp(values, start, end);
  for (let index = start; index < end; index++) values[index] = Math.exp(values[index] - total);
}

/**
 * Layer normalization (Ba et al. 2016) of vectors of the weight's length.
 *
 * @param {Float32Array} values
 * @param {Matrix} scale
 * @param {Matrix} shift
 */
function layerNorm(values, scale, shift) {
  const size = scale.columns;
  const result = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += size) {
    let mean = 0;
    for (let index = 0; index < size; index++) mean += values[start + index] / size;
    let variance = 0;
    for (let index = 0; index < size; index++) variance += (values[start + index] - mean) ** 2 / size;
    const factor = 1 / Math.sqrt(variance + 1e-5);
    for (let index = 0; index < size; index++)
      result[start + index] = (values[start + index] - mean) * factor * scale.values[index] + shift.values[index];
  }
  return result;
}

/**
 * The index of the largest value; the first of equal ones.
 *
 * @param {ArrayLike<number>} values
 */
function indexOfLargest(values) {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index] > values[best]) best = index;
  return best;
}

/**
 * The indices of the largest values in descending order; of equal ones the first come first.
 *
 * @param {ArrayLike<number>} values
 * @param {number} count
 * @returns {number[]}
 */
function indicesOfLargest(values, count) {
  /** @type {number[]} */
  const best = [];
  for (let index = 0; index < values.length; index++) {
    if (best.length === count && values[index] <= values[best[count - 1]]) continue;
    let place = best.length === count ? count - 1 : best.length;
    for (; place > 0 && values[index] > values[best[place - 1]]; place--) best[place] = best[place - 1];
    best[place] = index;
  }
  return best;
}
