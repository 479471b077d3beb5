// Recurrent layers, as in nbtextgen/model/recurrent.py: one step, or a whole sequence.

/**
 * The state of a layer, `(rows, size)` each; `cell` with an LSTM only.
 *
 * @typedef {{ hidden: Float32Array, cell: Float32Array | null }} LayerState
 */

/** One layer in one direction: an RNN (Elman 1990), a GRU (Cho et al. 2014) or an LSTM (Hochreiter & Schmidhuber 1997). */
class RecurrentLayer {
  /**
   * @param {string} cell `rnn`, `gru` or `lstm`
   * @param {(name: string) => Matrix} weight a weight of the layer by its last name
   */
  constructor(cell, weight) {
    this.cell = cell;
    this.inputWeight = weight("weight_ih_l0");
    this.recurrentWeight = weight("weight_hh_l0");
    this.inputBias = weight("bias_ih_l0");
    this.recurrentBias = weight("bias_hh_l0");
    this.size = this.recurrentWeight.columns;
  }

  /**
   * @param {number} rows
   * @returns {LayerState}
   */
  zeroState(rows) {
    const zeros = () => new Float32Array(rows * this.size);
    return { hidden: zeros(), cell: this.cell === "lstm" ? zeros() : null };
  }

  /**
   * Advances by one step from `inputs (rows, input size)`.
   *
   * @param {Float32Array} inputs
   * @param {LayerState} state
   * @param {number} rows
   */
  step(inputs, state, rows) {
    return this.advance(affine(inputs, rows, this.inputWeight, this.inputBias), state, rows);
  }

  /**
   * Runs over a sequence, `inputs (length, rows, input size)`; gives the outputs `(length, rows, size)` and the last state.
   *
   * @param {Float32Array} inputs
   * @param {number} length
   * @param {number} rows
   * @param {boolean} [backward] from the last step to the first
   */
  run(inputs, length, rows, backward = false) {
    const projected = affine(inputs, length * rows, this.inputWeight, this.inputBias);
    const width = projected.length / length;
    const outputs = new Float32Array(length * rows * this.size);
    let state = this.zeroState(rows);
    for (let count = 0; count < length; count++) {
      const time = backward ? length - 1 - count : count;
      state = this.advance(projected.subarray(time * width, (time + 1) * width), state, rows);
      outputs.set(state.hidden, time * rows * this.size);
    }
    return { outputs, state };
  }

  /**
   * @param {Float32Array} gates the input's part of all gates, `(rows, gates x size)`
   * @param {LayerState} state
   * @param {number} rows
   * @returns {LayerState}
   */
  advance(gates, state, rows) {
    const recurrent = affine(state.hidden, rows, this.recurrentWeight, this.recurrentBias);
    if (this.cell === "lstm" && state.cell) return this.lstm(gates, recurrent, state.cell);
    if (this.cell === "gru") return { hidden: this.gru(gates, recurrent, state.hidden), cell: null };
    const hidden = new Float32Array(recurrent.length);
    for (let index = 0; index < hidden.length; index++) hidden[index] = Math.tanh(gates[index] + recurrent[index]);
    return { hidden, cell: null };
  }

  /**
   * @param {Float32Array} gates input, forget, candidate and output gate
   * @param {Float32Array} recurrent
   * @param {Float32Array} before
   */
  lstm(gates, recurrent, before) {
    const size = this.size;
    const hidden = new Float32Array(before.length);
    const cell = new Float32Array(before.length);
    for (let index = 0; index < before.length; index++) {
      const start = Math.floor(index / size) * 4 * size + (index % size);
      const gate = (/** @type {number} */ number) => gates[start + number * size] + recurrent[start + number * size];
      cell[index] = sigmoid(gate(1)) * before[index] + sigmoid(gate(0)) * Math.tanh(gate(2));
      hidden[index] = sigmoid(gate(3)) * Math.tanh(cell[index]);
    }
    return { hidden, cell };
  }

  /**
   * @param {Float32Array} gates reset gate, update gate and candidate
   * @param {Float32Array} recurrent
   * @param {Float32Array} before
   */
  gru(gates, recurrent, before) {
    const size = this.size;
    const hidden = new Float32Array(before.length);
    for (let index = 0; index < before.length; index++) {
      const start = Math.floor(index / size) * 3 * size + (index % size);
      const reset = sigmoid(gates[start] + recurrent[start]);
      const update = sigmoid(gates[start + size] + recurrent[start + size]);
      const candidate = Math.tanh(gates[start + 2 * size] + reset * recurrent[start + 2 * size]);
      hidden[index] = (1 - update) * candidate + update * before[index];
    }
    return hidden;
  }
}
