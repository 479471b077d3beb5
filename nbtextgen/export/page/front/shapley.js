// Shapley values of the parts of a source, as in nbtextgen/explanation: exact, or sampled by permutations.

/** Copies of the source that are read together. */
const COPIES = 32;
const MIN_PROBABILITY = 1e-12;
/** Weight of the other units' variance in the variance of a unit; see PRIOR_PAIRS in Python. */
const PRIOR_PAIRS = 0.5;

/**
 * @typedef {object} Attributions
 * @property {Float64Array[]} values for each output token, one per unit, in nats
 * @property {Float64Array} base log-probability of each output token without the source
 * @property {Float64Array} full the same with all of it
 * @property {Float64Array[] | null} errors standard errors of sampled values
 * @property {number} copies of the source that were read
 */

/** How likely each token of an output is if only some units of the source are present; the others are masked. */
class ValueFunction {
  /**
   * @param {Ensemble} ensemble
   * @param {EncodedSource} source
   * @param {Units} units
   * @param {number[]} output token ids, with the end token if it was generated
   */
  constructor(ensemble, source, units, output) {
    this.ensemble = ensemble;
    this.source = source;
    this.units = units;
    this.output = output;
    this.copies = 0;
  }

  /**
   * Log-probabilities of the output tokens for each coalition; yields the number of copies read so far.
   *
   * @param {Uint8Array[]} coalitions which units are present
   * @returns {Generator<number, Float64Array[], void>}
   */
  *scores(coalitions) {
    const results = [];
    for (let start = 0; start < coalitions.length; start += COPIES) {
      const part = coalitions.slice(start, start + COPIES);
      const members = [];
      for (const network of this.ensemble.members) members.push(yield* this.networkScores(network, part));
      const mean = meanLogs(members);
      for (let row = 0; row < part.length; row++) results.push(Float64Array.from(rowOf(mean, row, part.length)));
      this.copies += part.length;
    }
    return results;
  }

  /**
   * @param {Network} network
   * @param {Uint8Array[]} coalitions
   * @returns {Generator<number, Float32Array, void>}
   */
  *networkScores(network, coalitions) {
    const { ids, copyIds } = this.source;
    const rows = coalitions.length;
    const masked = Int32Array.from({ length: rows * ids.length }, (_, index) => {
      const place = index % ids.length;
      return coalitions[Math.floor(index / ids.length)][this.units.member[place]] ? ids[place] : MASK;
    });
    const copies = copyIds && masked.map((_, index) => copyIds[index % ids.length]);
    const started = network.start(masked, rows, copies);
    let state = started.state;
    const result = new Float32Array(rows * this.output.length);
    for (const [step, target] of this.output.entries()) {
      const last = step ? this.output[step - 1] : BOS;
      const after = network.step(Array(rows).fill(last), state, started.memory);
      state = after.state;
      const scores = targetScores(network, after.decoded, started.memory, target);
      scores.forEach((score, row) => (result[row * this.output.length + step] = score));
      yield this.copies + (rows * (step + 1)) / this.output.length;
    }
    return result;
  }
}

/**
 * Log-probability of one token in every row. As in training, a word that only copying can write counts as the unknown token
 * where the source does not hold it.
 *
 * @param {Network} network
 * @param {Decoded} decoded
 * @param {Memory} memory
 * @param {number} target
 */
function targetScores(network, decoded, memory, target) {
  const { rows, length, copyIds } = memory;
  const size = network.vocabularySize;
  const copiedOnly = target >= size;
  const logits = affine(decoded.hidden, rows, network.outputWeight, network.outputBias);
  return Float32Array.from({ length: rows }, (_, row) => {
    const start = row * size;
    const log = logits[start + (copiedOnly ? UNK : target)] - logSumExp(logits, start, start + size);
    if (!decoded.gate || !copyIds) return log;
    const gate = Math.min(1 - 1e-6, Math.max(1e-6, decoded.gate[row]));
    let [copied, copiedUnknown, absent] = [0, 0, true];
    for (let index = row * length; index < (row + 1) * length; index++) {
      if (copyIds[index] === target && target !== UNK) copied += decoded.attention[index];
      if (copyIds[index] === UNK) copiedUnknown += decoded.attention[index];
      if (copyIds[index] === target) absent = false;
    }
    const unknown = copiedOnly || target === UNK ? (1 - gate) * copiedUnknown : 0;
    const elsewhere = copiedOnly && !absent ? 0 : gate * Math.exp(log) + unknown;
    return Math.log(Math.max(MIN_PROBABILITY, (1 - gate) * copied + elsewhere));
  });
}

/**
 * The sum over the power set (Shapley 1953); yields the share that is done.
 *
 * @param {ValueFunction} value
 * @returns {Generator<number, Attributions, void>}
 */
function* exactShapley(value) {
  const units = value.units.texts.length;
  const count = 2 ** units;
  const coalitions = Array.from({ length: count }, (_, number) =>
    Uint8Array.from({ length: units }, (__, unit) => (number >> unit) & 1),
  );
  const task = value.scores(coalitions);
  let step = task.next();
  for (; !step.done; step = task.next()) yield step.value / count;
  const scores = step.value;
  const choose = binomials(units);
  const values = value.output.map(() => new Float64Array(units));
  for (const [number, present] of coalitions.entries()) {
    const size = sumOf(Array.from(present));
    const inside = size ? 1 / (size * choose[size]) : 0;
    const outside = size < units ? -1 / ((units - size) * choose[size]) : 0;
    for (const [token, row] of values.entries()) {
      for (let unit = 0; unit < units; unit++) row[unit] += (present[unit] ? inside : outside) * scores[number][token];
    }
  }
  return { values, base: scores[0], full: scores[count - 1], errors: null, copies: value.copies };
}

/**
 * Binomial coefficients of a number.
 *
 * @param {number} number
 */
function binomials(number) {
  const row = [1];
  for (let index = 0; index < number; index++) row.push((row[index] * (number - index)) / (index + 1));
  return row;
}

/**
 * Permutation sampling in antithetic pairs (Castro et al. 2009; Mitchell et al. 2022, sec. 3.1); yields the share that is
 * done. A permutation adds the units one by one; its mirror adds them in the opposite order.
 *
 * @param {ValueFunction} value
 * @param {number} budget most copies of the source that are read
 * @param {number} seed
 * @returns {Generator<number, Attributions, void>}
 */
function* sampledShapley(value, budget, seed) {
  const units = value.units.texts.length;
  const tokens = value.output.length;
  const random = new MersenneTwister(seed);
  const ends = yield* shareOf(value.scores([new Uint8Array(units), new Uint8Array(units).fill(1)]), budget);
  const pairs = Math.max(2, Math.floor((budget - 2) / (2 * Math.max(1, units - 1))));
  const sums = Array.from({ length: tokens }, () => new Float64Array(units));
  const squares = Array.from({ length: tokens }, () => new Float64Array(units));
  const most = 2 + pairs * 2 * (units - 1);
  for (let pair = 0; pair < pairs; pair++) {
    const order = permutation(units, random);
    const orders = [order, order.slice().reverse()];
    const growing = orders.flatMap((each) => growingCoalitions(each));
    const scores = yield* shareOf(value.scores(growing), most);
    const paths = orders.map((_, half) => [
      ends[0],
      ...scores.slice(half * (units - 1), (half + 1) * (units - 1)),
      ends[1],
    ]);
    for (let token = 0; token < tokens; token++) {
      const gains = new Float64Array(units);
      for (const [half, path] of paths.entries())
        orders[half].forEach((unit, place) => (gains[unit] += (path[place + 1][token] - path[place][token]) / 2));
      gains.forEach((gain, unit) => {
        sums[token][unit] += gain;
        squares[token][unit] += gain ** 2;
      });
    }
  }
  return {
    values: sums.map((row) => row.map((each) => each / pairs)),
    base: ends[0],
    full: ends[1],
    errors: sums.map((row, token) => standardErrors(row, squares[token], pairs)),
    copies: value.copies,
  };
}

/**
 * Runs a task that yields copies read, and yields their share of `most`.
 *
 * @template Result
 * @param {Generator<number, Result, void>} task
 * @param {number} most
 * @returns {Generator<number, Result, void>}
 */
function* shareOf(task, most) {
  let step = task.next();
  for (; !step.done; step = task.next()) yield Math.min(1, step.value / most);
  return step.value;
}

/**
 * @param {number} size
 * @param {MersenneTwister} random
 */
function permutation(size, random) {
  const order = Array.from({ length: size }, (_, index) => index);
  for (let index = size - 1; index > 0; index--) {
    const other = Math.floor((random.integer() / 2 ** 32) * (index + 1));
    [order[index], order[other]] = [order[other], order[index]];
  }
  return order;
}

/**
 * The coalitions between none and all as units are added in an order.
 *
 * @param {number[]} order
 */
function growingCoalitions(order) {
  return order.slice(1).map((_, place) => {
    const present = new Uint8Array(order.length);
    for (const unit of order.slice(0, place + 1)) present[unit] = 1;
    return present;
  });
}

/**
 * Standard errors of means from sums and sums of squares; value ± 1.96 of them is a 95 % interval.
 *
 * @param {Float64Array} sums
 * @param {Float64Array} squares
 * @param {number} count
 */
function standardErrors(sums, squares, count) {
  const deviations = sums.map((each, unit) => Math.max(0, squares[unit] - each ** 2 / count));
  const freedom = count - 1 + PRIOR_PAIRS;
  const pooled = sumOf(Array.from(deviations)) / deviations.length / Math.max(1, count - 1);
  return deviations.map((each) => Math.sqrt((each + PRIOR_PAIRS * pooled) / (freedom * count)) * studentRatio(freedom));
}

/**
 * The 97.5 % quantile of Student's t over that of the normal distribution (Abramowitz & Stegun 1964, eq. 26.7.5).
 *
 * @param {number} freedom
 */
function studentRatio(freedom) {
  if (freedom < 3) return freedom < 2 ? 3.0698 : 1.8238;
  const z = 1.959964;
  const terms =
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3);
  return 1 + terms / z;
}

/**
 * The sum of an output token's attention over the tokens of each unit.
 *
 * @param {Float32Array[]} attention
 * @param {Units} units
 */
function attentionByUnit(attention, units) {
  return attention.map((weights) => {
    const row = new Float64Array(units.texts.length);
    units.member.forEach((unit, place) => (row[unit] += weights[place]));
    return row;
  });
}
