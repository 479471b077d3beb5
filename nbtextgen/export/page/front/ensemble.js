// Several networks decoding together: the mean of their probabilities and of their attention.

/**
 * The state of every member.
 *
 * @typedef {object} SearchState
 * @property {Memory[]} memories
 * @property {DecoderState[]} states
 * @property {number} count hypotheses
 */

class Ensemble {
  /** @param {Network[]} members */
  constructor(members) {
    this.members = members;
  }

  /**
   * Encodes sources of one length.
   *
   * @param {Int32Array} ids `(rows, length)`
   * @param {number} rows
   * @param {Int32Array | null} copyIds
   * @returns {SearchState}
   */
  start(ids, rows, copyIds) {
    const started = this.members.map((member) => member.start(ids, rows, copyIds));
    return { memories: started.map(({ memory }) => memory), states: started.map(({ state }) => state), count: rows };
  }

  /**
   * Advances every hypothesis by one token.
   *
   * @param {ArrayLike<number>} tokens
   * @param {SearchState} state
   * @returns {{ logs: Float32Array, attention: Float32Array, state: SearchState }}
   */
  step(tokens, state) {
    const { memories, count } = state;
    const results = this.members.map((member, number) => {
      const result = member.step(tokens, state.states[number], memories[number]);
      return { ...result, logs: member.logProbabilities(result.decoded, count, memories[number]) };
    });
    return {
      logs: meanLogs(results.map(({ logs }) => logs)),
      attention: averaged(results.map(({ decoded }) => decoded.attention)),
      state: { memories, states: results.map((result) => result.state), count },
    };
  }

  /**
   * Continues from the given hypotheses.
   *
   * @param {SearchState} state
   * @param {number[]} rows
   * @returns {SearchState}
   */
  select(state, rows) {
    const states = state.states.map((each) => selectRows(each, state.count, rows));
    return { memories: state.memories, states, count: rows.length };
  }
}

/**
 * The logarithm of the mean probability.
 *
 * @param {Float32Array[]} logs
 */
function meanLogs(logs) {
  if (logs.length === 1) return logs[0];
  return logs[0].map((_, index) => {
    const highest = Math.max(...logs.map((each) => each[index]));
    if (highest === -Infinity) return highest;
    const total = logs.reduce((sumSoFar, each) => sumSoFar + Math.exp(each[index] - highest), 0);
    return highest + Math.log(total / logs.length);
  });
}

/** @param {Float32Array[]} arrays */
function averaged(arrays) {
  if (arrays.length === 1) return arrays[0];
  return arrays[0].map((_, index) => arrays.reduce((total, each) => total + each[index], 0) / arrays.length);
}
