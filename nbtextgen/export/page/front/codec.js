// From texts to token ids and from token ids to texts, as in nbtextgen/inference/text_codec.py.

/**
 * Maps each source token to the target token it would be copied as (See et al. 2017, sec. 2.2). A token that the target
 * vocabulary lacks gets a temporary id after it.
 */
class CopyMap {
  /**
   * @param {Tokenizer} source
   * @param {Tokenizer} target
   */
  constructor(source, target) {
    this.size = target.size;
    /** @type {Map<string, number>} */
    const targetIds = new Map();
    for (let id = SPECIAL.length; id < target.size; id++) targetIds.set(target.token(id), id);
    /** @type {Map<number, number>} */
    this.targetIds = new Map();
    for (let id = SPECIAL.length; id < source.size; id++)
      this.targetIds.set(id, targetIds.get(source.token(id)) ?? UNK);
  }

  /**
   * @param {Encoding} encoding of a source
   * @returns {{ ids: number[], words: string[] }} target ids, and the tokens behind the temporary ones
   */
  ids(encoding) {
    /** @type {string[]} */
    const words = [];
    const ids = encoding.ids.map((sourceId, index) => {
      const id = this.targetIds.get(sourceId) ?? UNK;
      if (id !== UNK) return id;
      const token = encoding.tokens[index];
      if (!words.includes(token)) words.push(token);
      return this.size + words.indexOf(token);
    });
    return { ids, words };
  }
}

/**
 * A source as a search reads it.
 *
 * @typedef {object} EncodedSource
 * @property {string} text after cleaning
 * @property {string[]} tokens those that are read
 * @property {[number, number][]} offsets of these in the normalized text, in characters
 * @property {Int32Array} ids at least one
 * @property {Int32Array | null} copyIds
 * @property {string[]} words outside the target vocabulary, which a copy head can write
 * @property {number} length tokens of the whole source
 */

/** What a model needs around its networks to turn texts into texts. */
class TextCodec {
  /**
   * @param {Tokenizer} source
   * @param {Tokenizer} target
   * @param {object} settings
   * @param {boolean} settings.copy whether the networks have a copy head
   * @param {{ offset: number, slope: number }} settings.limit longest output for a source length
   * @param {number} settings.maxSource source tokens that are read
   */
  constructor(source, target, { copy, limit, maxSource }) {
    this.source = source;
    this.target = target;
    this.copy = copy ? new CopyMap(source, target) : null;
    this.limit = limit;
    this.maxSource = maxSource;
  }

  /**
   * @param {string} text after cleaning
   * @returns {EncodedSource}
   */
  encode(text) {
    const encoding = this.source.encode(text);
    const copies = this.copy && this.copy.ids(encoding);
    const read = (/** @type {number[]} */ ids) => {
      const first = ids.slice(0, this.maxSource);
      return Int32Array.from(first.length ? first : [UNK]);
    };
    return {
      text,
      tokens: encoding.tokens.slice(0, this.maxSource),
      offsets: encoding.offsets.slice(0, this.maxSource),
      ids: read(encoding.ids),
      copyIds: copies && read(copies.ids),
      words: copies ? copies.words : [],
      length: encoding.ids.length,
    };
  }

  /**
   * Most output tokens for a source.
   *
   * @param {EncodedSource} source
   */
  longestOutput(source) {
    return this.limit.offset + Math.ceil(this.limit.slope * source.ids.length);
  }

  /**
   * The token rules of the given options.
   *
   * @param {DecodingOptions} options
   * @param {number[]} [prefix] token ids that replace the prefix
   * @returns {TokenRules}
   */
  rules(options, prefix = []) {
    const first = prefix.length || !options.prefix ? prefix : this.target.encode(options.prefix).ids;
    if (!prefix.length && options.max_length !== null && first.length > options.max_length)
      throw new PageError(`The beginning has ${first.length} tokens, but the output may have ${options.max_length}.`);
    const allowed = options.allow.flatMap((word) => this.wordIds(word));
    return {
      prefix: first,
      allow: options.allow.length ? [...new Set(allowed)].sort((one, other) => one - other) : null,
      forbid: options.forbid.map((word) => this.wordIds(word)),
    };
  }

  /** @param {string} word */
  wordIds(word) {
    const { ids } = this.target.encode(word);
    if (!ids.length || ids.includes(UNK)) throw new PageError(`“${word}” is not in the model's vocabulary.`);
    return ids;
  }

  /**
   * Positions of ids whose text is taken from the source, with that text: ids beyond the vocabulary, and with attention
   * over the source also unknown ones.
   *
   * @param {number[]} ids
   * @param {EncodedSource} source
   * @param {Float32Array[] | null} attention
   * @returns {Map<number, string>}
   */
  replacements(ids, source, attention) {
    /** @type {Map<number, string>} */
    const texts = new Map();
    for (const [position, id] of ids.entries()) {
      if (id >= this.target.size) texts.set(position, source.words[id - this.target.size]);
      else if (id === UNK && attention && source.tokens.length)
        texts.set(position, source.tokens[indexOfLargest(attention[position].subarray(0, source.tokens.length))]);
    }
    return texts;
  }

  /**
   * The text of one id; ids beyond the vocabulary stand for words of the source.
   *
   * @param {number} id
   * @param {EncodedSource} source
   */
  token(id, source) {
    return id >= this.target.size ? source.words[id - this.target.size] : this.target.token(id);
  }

  /**
   * The text of ids, with the texts of some positions replaced.
   *
   * @param {number[]} ids
   * @param {Map<number, string>} replacements
   */
  decode(ids, replacements) {
    if (!replacements.size) return this.target.decode(ids);
    const marked = ids.map((id, position) => (replacements.has(position) ? UNK : id));
    const texts = marked.flatMap((id, position) => (id === UNK ? [replacements.get(position)] : []));
    // Every unknown token decodes to one mark, so decoding with unknown tokens shows where the replacements go.
    const mark = this.target.unknown;
    const space = mark.slice(0, -UNKNOWN.length); // a word tokenizer's mark includes the space before the word
    const [first, ...parts] = (space + this.target.decode(marked)).split(mark);
    const text = parts.reduce((whole, part, index) => whole + (texts[index] ?? mark) + part, first);
    return text.startsWith(space) ? text.slice(space.length) : text;
  }
}

/** An error that is shown to the reader as it is. */
class PageError extends Error {}
