// Attention of the decoder over the encoded source, as in nbtextgen/model/attention.py.

/**
 * The encoded sources, all of one length.
 *
 * @typedef {object} Memory
 * @property {number} rows
 * @property {number} length source tokens
 * @property {Float32Array} keys `(rows, length, size)`
 * @property {Float32Array} values `(rows, length, size)`
 * @property {Int32Array | null} copyIds the target-side id of every source token, `(rows, length)`; with a copy head only
 */

/** Weights over the source for each query, and the weighted mean of the memory. */
class Attention {
  /**
   * @param {string} kind `dot`, `general`, `additive` or `multihead`
   * @param {number} heads
   * @param {(name: string) => Matrix | null} weight a weight by the last part of its name
   */
  constructor(kind, heads, weight) {
    this.kind = kind;
    this.heads = kind === "multihead" ? heads : 1;
    this.key = weight("key.weight");
    this.query = weight("query.weight");
    this.queryBias = weight("query.bias");
    this.value = weight("value.weight");
    this.score = weight("score.weight");
    this.coverage = weight("coverage");
  }

  /**
   * Keys and values of `encoded (positions, size)`.
   *
   * @param {Float32Array} encoded
   * @param {number} positions
   */
  project(encoded, positions) {
    return {
      keys: this.key ? affine(encoded, positions, this.key) : encoded,
      values: this.value ? affine(encoded, positions, this.value) : encoded,
    };
  }

  /**
   * Attends from `queries (count, size)`, of which equally many belong to every row of the memory.
   *
   * @param {Float32Array} queries
   * @param {number} count
   * @param {Memory} memory
   * @param {Float32Array | null} covered sums of past weights, `(count, length)`; with coverage only
   * @returns {{ context: Float32Array, weights: Float32Array }} `(count, size)` and, averaged over heads, `(count, length)`
   */
  attend(queries, count, memory, covered) {
    const { length, values } = memory;
    const size = queries.length / count;
    const part = size / this.heads;
    const context = new Float32Array(count * size);
    const weights = new Float32Array(count * length);
    const projected = this.query ? affine(queries, count, this.query, this.queryBias) : queries;
    for (let query = 0; query < count; query++) {
      const first = Math.floor((query * memory.rows) / count) * length * size;
      for (let head = 0; head < this.heads; head++) {
        const scores = this.scores(projected, query * size, memory.keys, first, head * part, part, length, size);
        if (this.coverage && covered) {
          for (let index = 0; index < length; index++)
            scores[index] += this.coverage.values[0] * covered[query * length + index];
        }
        softmaxInPlace(scores, 0, length);
        for (let index = 0; index < length; index++) {
          const share = scores[index];
          weights[query * length + index] += share / this.heads;
          const from = first + index * size + head * part;
          const to = query * size + head * part;
          for (let place = 0; place < part; place++) context[to + place] += share * values[from + place];
        }
      }
    }
    return { context, weights };
  }

  /**
   * Unnormalized scores of one head, `(length,)`.
   *
   * @param {Float32Array} queries
   * @param {number} query where it starts
   * @param {Float32Array} keys
   * @param {number} first where the keys of its source start
   * @param {number} offset where the head starts in a vector
   * @param {number} part size of the head
   * @param {number} length
   * @param {number} size
   */
  scores(queries, query, keys, first, offset, part, length, size) {
    const scores = new Float32Array(length);
    const scale = this.kind === "multihead" ? part ** -0.5 : 1;
    for (let index = 0; index < length; index++) {
      const key = first + index * size + offset;
      let sum = 0;
      if (this.score) {
        const weights = this.score.values;
        for (let place = 0; place < part; place++)
          sum += weights[place] * Math.tanh(queries[query + place] + keys[key + place]);
      } else {
        for (let place = 0; place < part; place++) sum += queries[query + offset + place] * keys[key + place];
      }
      scores[index] = sum * scale;
    }
    return scores;
  }
}
