// A model as the page holds it: from a source text to outputs with tokens, probabilities and attention.

/**
 * What Python writes about a model; the weights stand beside it.
 *
 * @typedef {object} ModelDescription
 * @property {string} name
 * @property {string} example a source to begin with
 * @property {[string, string][]} facts name and value of each
 * @property {{ options: NetworkOptions, names: Record<string, number> }[]} networks the tensor of every weight by its name
 * @property {TensorPlace[]} tensors
 * @property {string} kernel WebAssembly in base64
 * @property {SavedTokenizer} source
 * @property {SavedTokenizer | null} target null if it is that of the source, without a limit
 * @property {{ offset: number, slope: number, penalty: number, coverage: number }} limit
 * @property {number} max_source
 * @property {{ steps: string[], tables: CleaningTables | null }} clean
 * @property {{ context: number, window: number } | null} continuation of a model that continues a text
 * @property {Record<string, string>} word_breaks
 * @property {boolean} [embedded] whether the page is a part of a notebook
 * @property {Partial<DecodingOptions>} [decoding] what it begins with
 */

/**
 * One output.
 *
 * @typedef {object} Output
 * @property {string} text
 * @property {string[]} tokens without the end token
 * @property {number[]} ids without the end token
 * @property {number[]} logs of the tokens and, if it was generated, the end token
 * @property {number} score
 * @property {Float32Array[]} attention weights over the source tokens, at each token
 */

/**
 * A token that could have been generated.
 *
 * @typedef {{ id: number, text: string, probability: number }} Alternative
 */

class PageModel {
  /**
   * @param {ModelDescription} description
   * @param {string} weights base64
   */
  constructor(description, weights) {
    this.description = description;
    const kernel = openKernel(description.kernel, description.tensors);
    const tensors = readTensors(decodeBase64(weights), description.tensors, kernel);
    this.ensemble = new Ensemble(
      description.networks.map(
        ({ options, names }) => new Network(options, (name) => (name in names ? tensors[names[name]] : null)),
      ),
    );
    this.hasAttention = description.networks[0].options.attention !== "none";
    this.breaks = new WordBreaks(description.word_breaks);
    const source = restoreTokenizer(description.source, this.breaks);
    const whole = source instanceof TruncatedTokenizer ? source.inner : source;
    const target = description.target ? restoreTokenizer(description.target, this.breaks) : whole;
    this.codec = new TextCodec(source, target, {
      copy: description.networks[0].options.copy,
      limit: description.limit,
      maxSource: description.max_source,
    });
    this.rewrite = rewriter(description.clean.steps, description.clean.tables);
  }

  /**
   * Cleans and encodes a source.
   *
   * @param {string} text
   * @returns {EncodedSource}
   */
  encode(text) {
    const rewritten = stripped(text) ? this.rewrite(text) : text;
    if (!stripped(rewritten)) throw new PageError("Type some text to start from.");
    return this.codec.encode(rewritten);
  }

  /**
   * Generates for one source; each `next` makes one step, and yields the tokens so far. The best output comes first.
   *
   * @param {EncodedSource} source
   * @param {DecodingOptions} options
   * @param {number[]} [prefix] token ids that the output begins with
   * @returns {Generator<number[], Output[], void>}
   */
  *generate(source, options, prefix = []) {
    const rules = this.codec.rules(options, prefix);
    const longest = options.max_length ?? this.codec.longestOutput(source);
    const { penalty, coverage } = this.description.limit;
    const settled = {
      ...options,
      length_penalty: options.length_penalty ?? penalty,
      coverage_penalty: options.coverage_penalty ?? coverage,
    };
    const hypotheses = yield* search(this.ensemble, source, settled, rules, longest);
    return hypotheses.map((hypothesis) => this.output(hypothesis, source, options));
  }

  /**
   * @param {Hypothesis} hypothesis
   * @param {EncodedSource} source
   * @param {DecodingOptions} options
   * @returns {Output}
   */
  output({ ids, logs, attention, score }, source, options) {
    const pointers = options.replace_unknown && this.hasAttention ? attention : null;
    const replacements = this.codec.replacements(ids, source, pointers);
    return {
      text: this.codec.decode(ids, replacements),
      tokens: ids.map((id, position) => replacements.get(position) || this.codec.target.token(id)),
      ids,
      logs,
      score,
      attention: attention.slice(0, ids.length).map((weights) => weights.subarray(0, source.tokens.length)),
    };
  }

  /**
   * Continues a text; each `next` makes one step and yields the tokens so far. After every window the last tokens are
   * read again, as in training.
   *
   * @param {string} text
   * @param {number} length tokens to generate
   * @param {DecodingOptions} options
   * @returns {Generator<number[], Output, void>}
   */
  *continueText(text, length, options) {
    const { context, window } = this.description.continuation ?? { context: 1, window: 1 };
    const target = this.codec.target;
    const before = target.encode(text).ids;
    const rules = { prefix: [], allow: null, forbid: [[EOS], [UNK]] };
    /** @type {number[]} */
    const ids = [];
    /** @type {number[]} */
    const logs = [];
    while (ids.length < length) {
      const read = [...(before.length ? before : [UNK]), ...ids].slice(-context);
      const limit = Math.min(window, length - ids.length);
      const seed = options.seed === null ? null : options.seed + length - ids.length;
      const source = { ...this.codec.encode(text), ids: Int32Array.from(read), copyIds: null };
      const part = search(this.ensemble, source, { ...options, beam: 1, n_best: 1, seed }, rules, limit);
      let result = part.next();
      for (; !result.done; result = part.next()) yield [...ids, ...result.value];
      ids.push(...result.value[0].ids);
      logs.push(...result.value[0].logs.slice(0, -1));
    }
    return {
      text: this.textAfter(text, ids),
      tokens: ids.map((id) => target.token(id)),
      ids,
      logs,
      score: sumOf(logs),
      attention: [],
    };
  }

  /**
   * The text of tokens that continue a text.
   *
   * @param {string} text
   * @param {number[]} ids
   */
  textAfter(text, ids) {
    const target = this.codec.target;
    const anchor = target.encode(text).ids.at(-1) ?? UNK;
    return target.decode([anchor, ...ids]).slice(target.decode([anchor]).length);
  }

  /**
   * Those tokens of a continuation that were generated from the source alone.
   *
   * @param {number[]} ids
   */
  firstWindow(ids) {
    return ids.slice(0, Math.min(this.description.continuation?.window ?? 1, 40));
  }

  /**
   * What was read before a token of a continuation: the source of its window, and the tokens of the window before it.
   *
   * @param {string} text
   * @param {number[]} output
   * @param {number} position
   * @returns {{ source: EncodedSource, ids: number[] }}
   */
  windowBefore(text, output, position) {
    const { context, window } = this.description.continuation ?? { context: 1, window: 1 };
    const start = position - (position % window);
    const before = this.codec.target.encode(text).ids;
    const read = [...(before.length ? before : [UNK]), ...output.slice(0, start)].slice(-context);
    const source = { ...this.codec.encode(text), ids: Int32Array.from(read), copyIds: null };
    return { source, ids: output.slice(start, position) };
  }

  /**
   * The text of each token within the text of an output.
   *
   * @param {Output} output
   * @param {EncodedSource | null} source
   */
  pieces({ text, ids, tokens }, source) {
    if (this.codec.target.kind === "char" || ids.length > 500 || !source) return tokens;
    let end = 0;
    return ids.map((_, position) => {
      const beginning = ids.slice(0, position + 1);
      const texts = new Map(
        tokens.slice(0, position + 1).flatMap((token, index) => this.replaced(ids[index], token, index)),
      );
      const start = end;
      const decoded = this.description.continuation
        ? this.textAfter(source.text, beginning)
        : this.codec.decode(beginning, texts);
      end = position === ids.length - 1 ? text.length : Math.min(text.length, Math.max(end, decoded.length));
      return text.slice(start, end);
    });
  }

  /**
   * An entry for a token whose text is not that of its id.
   *
   * @param {number} id
   * @param {string} token
   * @param {number} position
   * @returns {[number, string][]}
   */
  replaced(id, token, position) {
    return id >= this.codec.target.size || (id === UNK && token !== this.codec.target.token(UNK))
      ? [[position, token]]
      : [];
  }

  /**
   * What could have been generated at each position of an output, given the tokens before it; the likeliest first. The last
   * list belongs to the end token.
   *
   * @param {EncodedSource} source
   * @param {number[]} ids
   * @param {number} count
   * @returns {Alternative[][]}
   */
  alternatives(source, ids, count) {
    let state = this.ensemble.start(source.ids, 1, source.copyIds);
    return [BOS, ...ids].map((last) => {
      const result = this.ensemble.step([last], state);
      state = result.state;
      return indicesOfLargest(result.logs, count)
        .filter((id) => result.logs[id] > -Infinity)
        .map((id) => ({ id, text: this.codec.token(id, source), probability: Math.exp(result.logs[id]) }));
    });
  }
}

/**
 * The geometric mean of the probabilities of the tokens and the end.
 *
 * @param {Output} output
 */
function confidence({ logs }) {
  return logs.length ? Math.exp(sumOf(logs) / logs.length) : 0;
}
