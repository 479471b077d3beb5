// Tokenizers, as in nbtextgen/tokenizers: normalization, characters, words, symbols, and a limit. BPE is in bpe.js.

const SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"];
const UNKNOWN = "\ufffd";
/** A space, or a mark or letter, as earlier versions read words; \s as Python has it. */
const EARLIER_PIECE =
  // eslint-disable-next-line no-control-regex -- Python's white space has four controls
  / ?[\p{L}\p{N}_]+| ?[^\p{L}\p{N}_\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/gu;

/**
 * A saved tokenizer (`Tokenizer.to_dict` in Python; BPE merges are pairs of positions in the vocabulary).
 *
 * @typedef {object} SavedTokenizer
 * @property {"char" | "word" | "symbol" | "bpe"} kind
 * @property {"none" | "nfc" | "nfd" | "nfkc"} normalization
 * @property {boolean} lowercase
 * @property {string[]} vocabulary
 * @property {string} [segmentation]
 * @property {[number, number][]} [merges]
 * @property {number} [limit] most tokens that are read
 * @property {boolean} [keep_end] whether the last tokens are read, and not the first
 */

/**
 * A tokenized text.
 *
 * @typedef {object} Encoding
 * @property {number[]} ids
 * @property {string[]} tokens the normalized text of each, unknown ones included
 * @property {[number, number][]} offsets start and end of each in the normalized text, in characters
 */

/**
 * Normalizes a text before it is split into tokens.
 *
 * @param {string} text
 * @param {SavedTokenizer} saved
 */
function normalized(text, { normalization, lowercase }) {
  const formed = (/** @type {string} */ value) =>
    normalization === "none" ? value : value.normalize(normalization.toUpperCase());
  const whole = formed(text.replace(/[\ud800-\udfff]/gu, UNKNOWN));
  return lowercase ? formed(whole.toLowerCase()) : whole;
}

/** A tokenizer whose tokens are pieces of the text, looked up in a vocabulary. */
class PieceTokenizer {
  /**
   * @param {SavedTokenizer} saved
   * @param {WordBreaks} breaks
   */
  constructor(saved, breaks) {
    this.saved = saved;
    this.kind = saved.kind;
    this.breaks = breaks;
    this.size = saved.vocabulary.length + SPECIAL.length;
    this.ids = new Map(saved.vocabulary.map((text, number) => [text, number + SPECIAL.length]));
    /** How `decode` writes an unknown token. */
    this.unknown = saved.kind === "word" ? ` ${UNKNOWN}` : UNKNOWN;
  }

  /** @param {string} text */
  normalize(text) {
    return normalized(text, this.saved);
  }

  /**
   * @param {string} text normalized
   * @returns {string[]}
   */
  cut(text) {
    if (this.kind === "char") return Array.from(text);
    if (this.kind === "symbol") return text.match(/[^ ]+/g) ?? [];
    if (!text) return [];
    return this.saved.segmentation === "uax29"
      ? this.breaks.pieces(` ${text}`)
      : (` ${text}`.match(EARLIER_PIECE) ?? []);
  }

  /**
   * @param {string} text
   * @returns {Encoding}
   */
  encode(text) {
    const whole = this.normalize(text);
    const tokens = this.cut(whole);
    return {
      ids: tokens.map((token) => this.ids.get(token) ?? UNK),
      tokens,
      offsets: this.kind === "symbol" ? symbolSpans(whole) : pieceSpans(tokens, this.kind === "word"),
    };
  }

  /** @param {number} id */
  token(id) {
    return id < SPECIAL.length ? SPECIAL[id] : this.saved.vocabulary[id - SPECIAL.length];
  }

  /** @param {number[]} ids */
  decode(ids) {
    const written = ids
      .filter((id) => id === UNK || id >= SPECIAL.length)
      .map((id) => (id === UNK ? this.unknown : this.token(id)));
    if (this.kind === "symbol") return written.join(" ");
    return this.kind === "word" ? written.join("").slice(1) : written.join("");
  }
}

/**
 * Where pieces stand that form a text together. Words are read as if a space stood before the text; the space before a
 * word is left out.
 *
 * @param {string[]} pieces
 * @param {boolean} words
 * @returns {[number, number][]}
 */
function pieceSpans(pieces, words) {
  let end = words ? -1 : 0;
  return pieces.map((piece) => {
    const length = Array.from(piece).length;
    let start = end;
    end += length;
    if (!words) return [start, end];
    if (end > 0 && length > 1 && piece[0] === " ") start += 1;
    return [Math.max(0, start), Math.max(end, 1)];
  });
}

/**
 * @param {string} text
 * @returns {[number, number][]}
 */
function symbolSpans(text) {
  return Array.from(text.matchAll(/[^ ]+/g), (match) => {
    const start = Array.from(text.slice(0, match.index)).length;
    return [start, start + Array.from(match[0]).length];
  });
}

/** Another tokenizer, of whose tokens only the first or the last are read. */
class TruncatedTokenizer {
  /**
   * @param {PieceTokenizer | BPETokenizer} inner
   * @param {number} limit
   * @param {boolean} keepEnd
   */
  constructor(inner, limit, keepEnd) {
    this.inner = inner;
    this.limit = limit;
    this.keepEnd = keepEnd;
    this.kind = inner.kind;
    this.size = inner.size;
    this.unknown = inner.unknown;
  }

  /** @param {string} text */
  normalize(text) {
    return this.inner.normalize(text);
  }

  /**
   * @param {string} text
   * @returns {Encoding}
   */
  encode(text) {
    const { ids, tokens, offsets } = this.inner.encode(text);
    const start = this.keepEnd ? Math.max(0, ids.length - this.limit) : 0;
    const end = start + this.limit;
    return { ids: ids.slice(start, end), tokens: tokens.slice(start, end), offsets: offsets.slice(start, end) };
  }

  /** @param {number} id */
  token(id) {
    return this.inner.token(id);
  }

  /** @param {number[]} ids */
  decode(ids) {
    return this.inner.decode(ids);
  }
}

/** @typedef {PieceTokenizer | BPETokenizer | TruncatedTokenizer} Tokenizer */

/**
 * @param {SavedTokenizer} saved
 * @param {WordBreaks} breaks
 * @returns {Tokenizer}
 */
function restoreTokenizer(saved, breaks) {
  const inner = saved.kind === "bpe" ? new BPETokenizer(saved) : new PieceTokenizer(saved, breaks);
  return saved.limit === undefined ? inner : new TruncatedTokenizer(inner, saved.limit, saved.keep_end === true);
}
