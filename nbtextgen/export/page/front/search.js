// Greedy decoding, sampling and beam search for one source, as in nbtextgen/decoding and nbtextgen/serving/search.py.

/**
 * One output.
 *
 * @typedef {object} Hypothesis
 * @property {number[]} ids without the end token
 * @property {number[]} logs log-probability of each token and of the end token
 * @property {Float32Array[]} attention weights over the source tokens at each token and at the end token
 * @property {number} score hypotheses are ranked by it
 * @property {boolean} ended before the limit forced the end
 */

/**
 * A search in progress: each `next` makes one step of the networks and yields the tokens so far of the first hypothesis.
 *
 * @typedef {Generator<number[], Hypothesis[], void>} Search
 */

/**
 * Searches for the outputs of one source; the best first, at most `n_best`.
 *
 * @param {Ensemble} model
 * @param {EncodedSource} source
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 * @param {number} longest most output tokens
 * @returns {Search}
 */
function* search(model, source, options, rules, longest) {
  const limit = Math.max(longest, rules.prefix.length + 1, options.min_length);
  const state = model.start(source.ids, 1, source.copyIds);
  const greedy = options.sample || (options.beam === 1 && options.n_best === 1);
  const hypotheses = greedy
    ? yield* greedySearch(model, state, options, rules, limit)
    : yield* beamSearch(model, state, options, rules, limit);
  if (!hypotheses.length) throw new PageError(NOTHING_ALLOWED);
  return hypotheses.sort((one, other) => other.score - one.score).slice(0, options.n_best);
}

/**
 * The divisor of a sum of log-probabilities; `length` includes the end token.
 *
 * @param {number} length
 * @param {number | null} alpha null is the usual one
 */
function lengthNorm(length, alpha) {
  return Math.max(1, length) ** (alpha ?? LENGTH_PENALTY);
}

/**
 * The best token at every step, or with sampling a drawn one; several hypotheses are independent draws.
 *
 * @param {Ensemble} model
 * @param {SearchState} start
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 * @param {number} limit
 * @returns {Search}
 */
function* greedySearch(model, start, options, rules, limit) {
  const width = options.sample ? options.n_best : 1;
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const outputs = Array.from({ length: width }, () => ({
    ids: /** @type {number[]} */ ([]),
    logs: /** @type {number[]} */ ([]),
    attention: /** @type {Float32Array[]} */ ([]),
    ended: false,
  }));
  let state = model.select(start, Array(width).fill(0));
  let last = Array(width).fill(BOS);
  for (let step = 0; outputs.some(({ ended }) => !ended); step++) {
    const result = model.step(last, state);
    state = result.state;
    const rows = outputs.map((_, row) => rowOf(result.logs, row, width));
    const allowed = rows.map((logs, row) => allowedLogs(logs, outputs[row].ids, options, rules, limit));
    last = options.sample
      ? draw(
          allowed.map((logs) => sharpened(logs, options)),
          seed,
          step,
        )
      : allowed.map(indexOfLargest);
    for (const [row, output] of outputs.entries()) {
      if (output.ended) continue;
      if (allowed[row][last[row]] === -Infinity) throw new PageError(NOTHING_ALLOWED);
      output.ids.push(last[row]);
      output.logs.push(rows[row][last[row]]);
      output.attention.push(rowOf(result.attention, row, width).slice());
      output.ended = last[row] === EOS;
    }
    yield outputs[0].ended ? outputs[0].ids.slice(0, -1) : outputs[0].ids.slice();
  }
  return outputs.map(({ ids, logs, attention }) => ({
    ids: ids.slice(0, -1),
    logs,
    attention,
    score: sumOf(logs) / lengthNorm(ids.length, options.length_penalty),
    ended: ids.length <= limit,
  }));
}

/**
 * Beam search. A source finishes when no live hypothesis can enter the n best any more: sums only fall, and dividing by the
 * largest possible length gives the best case of each.
 *
 * @param {Ensemble} model
 * @param {SearchState} start
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 * @param {number} limit
 * @returns {Search}
 */
function* beamSearch(model, start, options, rules, limit) {
  const width = Math.max(options.beam, options.n_best);
  /** @type {Hypothesis[]} */
  const finished = [];
  /** @type {LiveHypothesis[]} */
  let live = [{ sum: 0, ids: [], logs: [], attention: [] }];
  let state = start;
  for (let step = 0; step <= limit; step++) {
    const last = live.map(({ ids }) => (ids.length ? ids[ids.length - 1] : BOS));
    const result = model.step(last, state);
    const extensions = bestExtensions(live, result, options, rules, limit, 2 * width);
    /** @type {Extension[]} */
    const kept = [];
    for (const extension of extensions) {
      if (extension.token === EOS) collect(finished, live, extension, options, limit);
      else if (kept.length < width) kept.push(extension);
    }
    live = kept.map((extension) => extended(live[extension.parent], extension));
    const best = live.reduce((highest, each) => Math.max(highest, each.sum), -Infinity);
    const bound = best / lengthNorm(limit + 1, options.length_penalty);
    const safe = finished.length >= options.n_best && finished[options.n_best - 1].score >= bound;
    if (safe || !live.length) break;
    state = model.select(
      result.state,
      kept.map(({ parent }) => parent),
    );
    yield live[0].ids;
  }
  return finished;
}

/**
 * @typedef {object} LiveHypothesis
 * @property {number} sum of its log-probabilities
 * @property {number[]} ids
 * @property {number[]} logs
 * @property {Float32Array[]} attention
 */

/**
 * A hypothesis and one more token.
 *
 * @typedef {object} Extension
 * @property {number} sum
 * @property {number} parent the hypothesis that is continued
 * @property {number} token
 * @property {number} log
 * @property {Float32Array} attention
 */

/**
 * The likeliest extensions of the live hypotheses by one token, the best first.
 *
 * @param {LiveHypothesis[]} live
 * @param {{ logs: Float32Array, attention: Float32Array }} result
 * @param {DecodingOptions} options
 * @param {TokenRules} rules
 * @param {number} limit
 * @param {number} count
 * @returns {Extension[]}
 */
function bestExtensions(live, result, options, rules, limit, count) {
  const vocabulary = result.logs.length / live.length;
  const sums = new Float32Array(result.logs.length);
  for (const [row, hypothesis] of live.entries()) {
    const allowed = allowedLogs(rowOf(result.logs, row, live.length), hypothesis.ids, options, rules, limit);
    for (let id = 0; id < vocabulary; id++) sums[row * vocabulary + id] = hypothesis.sum + allowed[id];
  }
  return indicesOfLargest(sums, count)
    .filter((index) => sums[index] > -Infinity)
    .map((index) => {
      const parent = Math.floor(index / vocabulary);
      const attention = rowOf(result.attention, parent, live.length);
      return { sum: sums[index], parent, token: index % vocabulary, log: sums[index] - live[parent].sum, attention };
    });
}

/**
 * @param {LiveHypothesis} parent
 * @param {Extension} extension
 * @returns {LiveHypothesis}
 */
function extended(parent, { sum, token, log, attention }) {
  return {
    sum,
    ids: [...parent.ids, token],
    logs: [...parent.logs, log],
    attention: [...parent.attention, attention.slice()],
  };
}

/**
 * Collects a hypothesis that ends, if it belongs to the n best.
 *
 * @param {Hypothesis[]} finished the best first
 * @param {LiveHypothesis[]} live
 * @param {Extension} extension
 * @param {DecodingOptions} options
 * @param {number} limit
 */
function collect(finished, live, extension, options, limit) {
  const { logs, attention } = extended(live[extension.parent], extension);
  const penalty = options.coverage_penalty ? options.coverage_penalty * uncovered(attention) : 0;
  const score = (extension.sum + penalty) / lengthNorm(logs.length, options.length_penalty);
  if (finished.length >= options.n_best && score <= finished[options.n_best - 1].score) return;
  finished.push({ ids: live[extension.parent].ids, logs, attention, score, ended: logs.length <= limit });
  finished.sort((one, other) => other.score - one.score);
}

/**
 * The sum of log(min(attention received, 1)) over the source tokens (Wu et al. 2016, eq. 14); 0 without attention.
 *
 * @param {Float32Array[]} attention
 */
function uncovered(attention) {
  const received = Array.from(attention[0], (_, index) => sumOf(attention.map((weights) => weights[index])));
  if (!received.some((amount) => amount > 0)) return 0;
  return sumOf(received.map((amount) => Math.log(Math.min(1, Math.max(1e-10, amount)))));
}

/**
 * One of `count` rows of an array.
 *
 * @param {Float32Array} values
 * @param {number} row
 * @param {number} count
 */
function rowOf(values, row, count) {
  const size = values.length / count;
  return values.subarray(row * size, (row + 1) * size);
}

/** @param {number[]} values */
function sumOf(values) {
  return values.reduce((soFar, value) => soFar + value, 0);
}
