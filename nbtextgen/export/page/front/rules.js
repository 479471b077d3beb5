// Rules of every output, and the distribution that sampling draws from, as in nbtextgen/decoding.

/** Smallest log-probability of a forced token, so that even an impossible one can be generated. */
const FORCED_MINIMUM = -1e4;
/** Length penalty where none is given and none was chosen at the end of training. */
const LENGTH_PENALTY = 1;
const NOTHING_ALLOWED = "These rules leave no token to generate; relax them.";

/**
 * How text is generated; names and meanings are those of `DecodingConfig` in Python.
 *
 * @typedef {object} DecodingOptions
 * @property {number} beam
 * @property {number} n_best
 * @property {number | null} length_penalty null is that of the model
 * @property {number | null} coverage_penalty null is that of the model
 * @property {boolean} sample
 * @property {number} temperature
 * @property {number} top_k
 * @property {number} top_p
 * @property {number} min_p
 * @property {number | null} seed
 * @property {number} min_length
 * @property {number | null} max_length
 * @property {number} no_repeat_ngram
 * @property {string} prefix
 * @property {string[]} allow
 * @property {string[]} forbid
 * @property {boolean} replace_unknown
 */

/**
 * @typedef {object} TokenRules
 * @property {number[]} prefix tokens that every output begins with
 * @property {number[] | null} allow the only tokens that may be generated
 * @property {number[][]} forbid sequences of tokens that may not be generated
 */

/** @type {DecodingOptions} */
const DEFAULT_OPTIONS = {
  beam: 1,
  n_best: 1,
  length_penalty: null,
  coverage_penalty: null,
  sample: false,
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  seed: null,
  min_length: 0,
  max_length: null,
  no_repeat_ngram: 0,
  prefix: "",
  allow: [],
  forbid: [],
  replace_unknown: false,
};

/**
 * Rules out tokens in a copy of `logs (vocabulary,)`.
 *
 * @param {Float32Array} logs
 * @param {number[]} generated tokens so far
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 * @param {number} limit most tokens of the output
 */
function allowedLogs(logs, generated, options, rules, limit) {
  const allowed = logsByRules(logs, generated, options, rules);
  return generated.length >= limit ? allowOnly(allowed, [EOS], FORCED_MINIMUM) : allowed;
}

/**
 * @param {Float32Array} logs
 * @param {number[]} generated
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 */
function logsByRules(logs, generated, options, rules) {
  const step = generated.length;
  if (step < rules.prefix.length) return allowOnly(logs, [rules.prefix[step]], FORCED_MINIMUM);
  const allowed = rules.allow ? allowOnly(logs, [...rules.allow, EOS], -Infinity) : logs.slice();
  for (const sequence of rules.forbid) {
    const before = sequence.slice(0, -1);
    if (endsWith(generated, before)) allowed[sequence[sequence.length - 1]] = -Infinity;
  }
  if (step < options.min_length) allowed[EOS] = -Infinity;
  const size = options.no_repeat_ngram;
  if (size && step >= size - 1) {
    const tail = generated.slice(step - size + 1);
    for (let position = 0; position + size <= step; position++) {
      if (tail.every((token, index) => generated[position + index] === token))
        allowed[generated[position + size - 1]] = -Infinity;
    }
  }
  return allowed;
}

/**
 * @param {number[]} tokens
 * @param {number[]} end
 */
function endsWith(tokens, end) {
  const start = tokens.length - end.length;
  return start >= 0 && end.every((token, index) => tokens[start + index] === token);
}

/**
 * Rules out all tokens except `ids`, whose log-probability becomes at least `minimum`.
 *
 * @param {Float32Array} logs
 * @param {number[]} ids
 * @param {number} minimum
 */
function allowOnly(logs, ids, minimum) {
  const allowed = new Float32Array(logs.length).fill(-Infinity);
  for (const id of ids) allowed[id] = Math.max(logs[id], minimum);
  return allowed;
}

/**
 * The distribution that sampling draws from: temperature, then top-k (Fan et al. 2018), top-p (Holtzman et al. 2020, sec. 3.1),
 * min-p (Nguyen et al. 2024). Log-probabilities, which need not sum to one.
 *
 * @param {Float32Array} allowed
 * @param {DecodingOptions} options
 */
function sharpened(allowed, { temperature, top_k, top_p, min_p }) {
  const logs = allowed.map((log) => log / temperature);
  const total = logSumExp(logs, 0, logs.length);
  for (let index = 0; index < logs.length; index++) logs[index] -= total;
  if (top_k && top_k < logs.length) {
    const order = indicesOfLargest(logs, top_k);
    const least = logs[order[top_k - 1]];
    logs.forEach((log, index) => (logs[index] = log < least ? -Infinity : log));
  }
  if (top_p < 1) {
    const order = Array.from(logs.keys()).sort((one, other) => logs[other] - logs[one] || one - other);
    const all = order.reduce((soFar, index) => soFar + Math.exp(logs[index]), 0);
    let before = 0;
    for (const index of order) {
      const probability = Math.exp(logs[index]);
      if (before >= top_p * all) logs[index] = -Infinity;
      before += probability;
    }
  }
  if (min_p > 0) {
    const least = logs.reduce((highest, log) => Math.max(highest, log), -Infinity) + Math.log(min_p);
    logs.forEach((log, index) => (logs[index] = log < least ? -Infinity : log));
  }
  return logs;
}

/** Random numbers of the Mersenne Twister (Matsumoto & Nishimura 1998), those that PyTorch draws for the same seed. */
class MersenneTwister {
  /** @param {number} seed a whole number of up to 53 bits, of which the lowest 32 count */
  constructor(seed) {
    this.words = new Uint32Array(624);
    this.words[0] = seed % 2 ** 32;
    for (let index = 1; index < 624; index++) {
      const before = this.words[index - 1] ^ (this.words[index - 1] >>> 30);
      this.words[index] = Math.imul(1812433253, before) + index;
    }
    this.next = 624;
  }

  /** A number of 32 bits. */
  integer() {
    if (this.next === 624) this.refill();
    let word = this.words[this.next++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** A number in [0, 1) with 24 bits, as in a tensor of 32-bit numbers. */
  uniform() {
    return (this.integer() & 0xffffff) / 2 ** 24;
  }

  refill() {
    const words = this.words;
    for (let index = 0; index < 624; index++) {
      const bits = (words[index] & 0x80000000) | (words[(index + 1) % 624] & 0x7fffffff);
      words[index] = words[(index + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

/**
 * Draws one token for each of some hypotheses (the Gumbel-max trick: Gumbel 1954), the same as PyTorch for the same seed.
 *
 * @param {Float32Array[]} logs one distribution per hypothesis
 * @param {number} seed
 * @param {number} step
 */
function draw(logs, seed, step) {
  const random = new MersenneTwister(seed * 1_000_003 + step);
  const noisy = logs.map((each) => new Float32Array(each.length));
  for (let id = 0; id < logs[0].length; id++) {
    for (const [column, each] of logs.entries()) {
      const uniform = Math.min(Math.max(random.uniform(), 1e-20), Math.fround(1 - 1e-7));
      noisy[column][id] = each[id] - Math.log(-Math.log(uniform));
    }
  }
  return noisy.map(indexOfLargest);
}
