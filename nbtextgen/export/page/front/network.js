// One network, as in nbtextgen/model: the encoder, one step of the decoder, and the output layer with its copy head.

const PAD = 0;
const UNK = 1;
const BOS = 2;
const EOS = 3;
const MASK = 4;
/** Factor on embeddings in networks without an encoder. */
const EMBEDDING_SCALE = 16;

/**
 * The options of a network that the engine needs; see nbtextgen/model/config.py.
 *
 * @typedef {object} NetworkOptions
 * @property {string} cell
 * @property {string} attention
 * @property {number} heads
 * @property {number} hidden_size
 * @property {number} encoder_layers
 * @property {number} decoder_layers
 * @property {boolean} bidirectional
 * @property {boolean} input_feeding
 * @property {boolean} layer_norm
 * @property {boolean} copy
 * @property {boolean} coverage
 */

/**
 * The decoder's state, a row for every hypothesis.
 *
 * @typedef {object} DecoderState
 * @property {LayerState[]} layers
 * @property {Float32Array | null} feed the last attention result, with input feeding
 * @property {Float32Array | null} covered sums of past attention, `(rows, source length)`, with coverage
 */

/**
 * What a step gives before the output layer.
 *
 * @typedef {object} Decoded
 * @property {Float32Array} hidden input of the output layer
 * @property {Float32Array} attention `(rows, source length)`; zeros without attention
 * @property {Float32Array | null} gate probability of generating instead of copying, `(rows,)`; with a copy head only
 */

class Network {
  /**
   * @param {NetworkOptions} options
   * @param {(name: string) => Matrix | null} find a weight by its name; null if the network has none
   */
  constructor(options, find) {
    this.options = options;
    const weight = (/** @type {string} */ name) => {
      const matrix = find(name);
      if (!matrix) throw new Error(`The page is damaged: it has no weight ${name}.`);
      return matrix;
    };
    const layer = (/** @type {string} */ prefix) =>
      new RecurrentLayer(options.cell, (name) => weight(`${prefix}.net.${name}`));
    const layers = (/** @type {string} */ prefix, /** @type {number} */ count) =>
      Array.from({ length: count }, (_, number) => layer(`${prefix}.${number}`));
    const norms = (/** @type {string} */ prefix, /** @type {number} */ count) =>
      Array.from({ length: options.layer_norm ? count : 0 }, (_, number) => ({
        scale: weight(`${prefix}.${number}.weight`),
        shift: weight(`${prefix}.${number}.bias`),
      }));
    this.sourceEmbedding = weight("source_embedding.weight");
    this.targetEmbedding = weight("target_embedding.weight");
    this.outputWeight = weight("output_weight");
    this.outputBias = weight("output_bias");
    this.vocabularySize = this.outputWeight.rows;
    this.ahead = layers("encoder.ahead", options.encoder_layers);
    this.back = options.bidirectional ? layers("encoder.back", options.encoder_layers) : [];
    this.encoderNorms = norms("encoder.norms", options.encoder_layers);
    this.layers = layers("decoder.layers", options.decoder_layers);
    this.norms = norms("decoder.norms", options.decoder_layers);
    this.bridges = Array.from({ length: options.encoder_layers ? options.decoder_layers : 0 }, (_, number) => ({
      weight: weight(`decoder.bridges.${number}.weight`),
      bias: weight(`decoder.bridges.${number}.bias`),
    }));
    this.attention =
      options.attention === "none"
        ? null
        : new Attention(options.attention, options.heads, (name) => find(`decoder.attention.${name}`));
    this.combine = { weight: weight("decoder.combine.weight"), bias: weight("decoder.combine.bias") };
    this.gate = options.copy ? { weight: weight("decoder.gate.weight"), bias: weight("decoder.gate.bias") } : null;
  }

  /**
   * Looks up embeddings; ids outside the table are embedded as unknown.
   *
   * @param {Matrix} table
   * @param {ArrayLike<number>} ids
   */
  embed(table, ids) {
    const result = new Float32Array(ids.length * table.columns);
    for (let index = 0; index < ids.length; index++) {
      const start = (ids[index] < table.rows ? ids[index] : UNK) * table.columns;
      result.set(table.values.subarray(start, start + table.columns), index * table.columns);
    }
    if (!this.options.encoder_layers) {
      for (let index = 0; index < result.length; index++) result[index] *= EMBEDDING_SCALE;
    }
    return result;
  }

  /**
   * Encodes sources of one length, and gives the memory and the state before the first token.
   *
   * @param {Int32Array} ids `(rows, length)`
   * @param {number} rows
   * @param {Int32Array | null} copyIds the target-side id of every source token, `(rows, length)`
   * @returns {{ memory: Memory, state: DecoderState }}
   */
  start(ids, rows, copyIds) {
    const length = ids.length / rows;
    const byTime = new Int32Array(ids.length);
    for (let index = 0; index < ids.length; index++)
      byTime[(index % length) * rows + Math.floor(index / length)] = ids[index];
    const embedded = this.embed(this.sourceEmbedding, byTime);
    const { outputs, layers } = this.ahead.length
      ? this.encode(embedded, length, rows)
      : this.encodeWithDecoder(embedded, length, rows);
    const encoded = this.attention ? swapped(outputs, length, rows) : outputs;
    const { keys, values } = this.attention
      ? this.attention.project(encoded, ids.length)
      : { keys: encoded, values: encoded };
    // The id of a masked token would tell what the mask hides.
    const copies = this.gate && copyIds ? copyIds.map((id, index) => (ids[index] === MASK ? UNK : id)) : null;
    return {
      memory: { rows, length, keys, values, copyIds: copies },
      state: {
        layers,
        feed: this.options.input_feeding ? new Float32Array(rows * this.combine.weight.rows) : null,
        covered: this.options.coverage ? new Float32Array(rows * length) : null,
      },
    };
  }

  /**
   * Runs the encoder over `embedded (length, rows, size)`.
   *
   * @param {Float32Array} embedded
   * @param {number} length
   * @param {number} rows
   */
  encode(embedded, length, rows) {
    let outputs = embedded;
    /** @type {Float32Array} */
    let summary = embedded;
    for (const [number, ahead] of this.ahead.entries()) {
      const forward = ahead.run(outputs, length, rows);
      const backward = this.back.length ? this.back[number].run(outputs, length, rows, true) : null;
      summary = concatenate(rows, forward.state.hidden, backward && backward.state.hidden);
      outputs = concatenate(length * rows, forward.outputs, backward && backward.outputs);
      if (this.encoderNorms.length)
        outputs = layerNorm(outputs, this.encoderNorms[number].scale, this.encoderNorms[number].shift);
    }
    const layers = this.bridges.map(({ weight, bias }, number) => {
      const bridged = tanhInPlace(affine(summary, rows, weight, bias));
      if (this.options.cell !== "lstm") return { hidden: bridged, cell: null };
      const size = this.layers[number].size;
      return { hidden: columnRange(bridged, rows, 0, size), cell: columnRange(bridged, rows, size, 2 * size) };
    });
    return { outputs, layers };
  }

  /**
   * Encodes with the decoder's own layers, for networks without an encoder.
   *
   * @param {Float32Array} embedded `(length, rows, size)`
   * @param {number} length
   * @param {number} rows
   */
  encodeWithDecoder(embedded, length, rows) {
    const positions = length * rows;
    const zeros = (/** @type {number} */ size) => new Float32Array(positions * size);
    let inputs = this.options.input_feeding
      ? concatenate(positions, embedded, zeros(this.combine.weight.rows))
      : embedded;
    /** @type {LayerState[]} */
    const layers = [];
    let [first, top] = [embedded, embedded];
    for (const [number, layer] of this.layers.entries()) {
      if (number) inputs = this.attention ? concatenate(positions, top, zeros(layer.size)) : top;
      const { outputs, state } = layer.run(inputs, length, rows);
      const above = this.normalized(number, outputs);
      top = number > 1 ? added(above, top) : above;
      if (!number) first = above;
      layers.push(state);
    }
    return { outputs: first, layers };
  }

  /**
   * Advances every hypothesis by one token.
   *
   * @param {ArrayLike<number>} tokens the last token of each
   * @param {DecoderState} state
   * @param {Memory} memory
   * @returns {{ decoded: Decoded, state: DecoderState }}
   */
  step(tokens, state, memory) {
    const count = tokens.length;
    const embedded = this.embed(this.targetEmbedding, tokens);
    const layers = [this.layers[0].step(concatenate(count, embedded, state.feed), state.layers[0], count)];
    let top = this.normalized(0, layers[0].hidden);
    const attended = this.attention ? this.attention.attend(top, count, memory, state.covered) : null;
    const context = attended && attended.context;
    for (let number = 1; number < this.layers.length; number++) {
      layers.push(this.layers[number].step(concatenate(count, top, context), state.layers[number], count));
      const above = this.normalized(number, layers[number].hidden);
      top = number > 1 ? added(above, top) : above;
    }
    const features = concatenate(count, top, context);
    const hidden = tanhInPlace(affine(features, count, this.combine.weight, this.combine.bias));
    const gate = this.gate
      ? affine(concatenate(count, features, embedded), count, this.gate.weight, this.gate.bias).map(sigmoid)
      : null;
    const attention = attended ? attended.weights : new Float32Array(count * memory.length);
    return {
      decoded: { hidden, attention, gate },
      state: {
        layers,
        feed: state.feed && hidden,
        covered: state.covered && added(state.covered, attention),
      },
    };
  }

  /**
   * @param {number} number of the layer
   * @param {Float32Array} outputs
   */
  normalized(number, outputs) {
    return this.norms.length ? layerNorm(outputs, this.norms[number].scale, this.norms[number].shift) : outputs;
  }

  /**
   * Log-probabilities of the next token, `(rows, vocabulary)`; with a copy head also of source words outside it.
   *
   * @param {Decoded} decoded
   * @param {number} count
   * @param {Memory} memory
   */
  logProbabilities(decoded, count, memory) {
    const logs = affine(decoded.hidden, count, this.outputWeight, this.outputBias);
    const size = this.vocabularySize;
    for (let start = 0; start < logs.length; start += size) {
      const total = logSumExp(logs, start, start + size);
      for (let index = start; index < start + size; index++) logs[index] -= total;
    }
    const mixed = this.mixInCopies(logs, decoded, count, memory);
    for (let start = 0; start < mixed.length; start += mixed.length / count) {
      for (const id of [PAD, BOS, MASK]) mixed[start + id] = -Infinity;
    }
    return mixed;
  }

  /**
   * Mixes the copy distribution in (See et al. 2017, eq. 9).
   *
   * @param {Float32Array} logs
   * @param {Decoded} decoded
   * @param {number} count
   * @param {Memory} memory
   */
  mixInCopies(logs, decoded, count, memory) {
    const { copyIds, length } = memory;
    if (!decoded.gate || !copyIds) return logs;
    const size = this.vocabularySize;
    const width = Math.max(
      size,
      copyIds.reduce((highest, id) => Math.max(highest, id + 1), 0),
    );
    const mixed = new Float32Array(count * width);
    for (let row = 0; row < count; row++) {
      const gate = Math.min(1 - 1e-6, Math.max(1e-6, decoded.gate[row]));
      for (let id = 0; id < size; id++) mixed[row * width + id] = gate * Math.exp(logs[row * size + id]);
      const source = Math.floor((row * memory.rows) / count) * length;
      for (let index = 0; index < length; index++)
        mixed[row * width + copyIds[source + index]] += (1 - gate) * decoded.attention[row * length + index];
    }
    return mixed.map((probability) => Math.log(Math.max(1e-12, probability)));
  }
}

/**
 * Continues from the given rows of a state.
 *
 * @param {DecoderState} state
 * @param {number} count rows of the state
 * @param {number[]} rows
 * @returns {DecoderState}
 */
function selectRows(state, count, rows) {
  const select = (/** @type {Float32Array} */ values) => {
    const size = values.length / count;
    const result = new Float32Array(rows.length * size);
    rows.forEach((row, index) => result.set(values.subarray(row * size, (row + 1) * size), index * size));
    return result;
  };
  return {
    layers: state.layers.map(({ hidden, cell }) => ({ hidden: select(hidden), cell: cell && select(cell) })),
    feed: state.feed && select(state.feed),
    covered: state.covered && select(state.covered),
  };
}

/**
 * `(length, rows, size)` as `(rows, length, size)`.
 *
 * @param {Float32Array} values
 * @param {number} length
 * @param {number} rows
 */
function swapped(values, length, rows) {
  if (rows === 1) return values;
  const size = values.length / (length * rows);
  const result = new Float32Array(values.length);
  for (let index = 0; index < length * rows; index++) {
    const place = (index % rows) * length + Math.floor(index / rows);
    result.set(values.subarray(index * size, (index + 1) * size), place * size);
  }
  return result;
}

/**
 * Some columns of `(rows, width)`.
 *
 * @param {Float32Array} values
 * @param {number} rows
 * @param {number} start
 * @param {number} end
 */
function columnRange(values, rows, start, end) {
  const width = values.length / rows;
  const result = new Float32Array(rows * (end - start));
  for (let row = 0; row < rows; row++)
    result.set(values.subarray(row * width + start, row * width + end), row * (end - start));
  return result;
}

/**
 * @param {Float32Array} first
 * @param {Float32Array} second
 */
function added(first, second) {
  return first.map((value, index) => value + second[index]);
}
