// Byte-pair encoding over bytes (Sennrich et al. 2016), as in nbtextgen/tokenizers/bpe.py.

const SPACES = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SUFFIXES = "'s|'t|'re|'ve|'m|'ll|'d";
const OTHER_WORDS = ` ?\\p{N}+| ?[^${SPACES}\\p{L}\\p{N}]+|[${SPACES}]+(?![^${SPACES}])|[${SPACES}]+`;
/** Within which pieces are merged: as in GPT-2 (Radford et al. 2019). */
const GPT2_WORDS = new RegExp(`${SUFFIXES}| ?\\p{L}+|${OTHER_WORDS}`, "gu");
/** The same, but marks belong to their letter. */
const WORDS_WITH_MARKS = new RegExp(`${SUFFIXES}| ?(?:\\p{L}[\\p{M}\\u200c\\u200d]*)+|${OTHER_WORDS}`, "gu");

/** The character of every byte: printable Latin-1 bytes stand for themselves, the others for code points from 256 on. */
function byteCharacters() {
  const characters = [];
  let others = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    characters.push(String.fromCharCode(printable ? byte : others++));
  }
  return characters;
}

class BPETokenizer {
  /** @param {SavedTokenizer} saved */
  constructor(saved) {
    this.saved = saved;
    this.kind = saved.kind;
    this.unknown = UNKNOWN;
    this.size = saved.vocabulary.length + SPECIAL.length;
    this.numbers = new Map(saved.vocabulary.map((piece, number) => [piece, number]));
    /** The rank of every merge and the piece that it makes, by the two pieces that it joins. */
    this.merges = new Map(
      (saved.merges ?? []).map(([first, second], rank) => {
        const merged = this.numbers.get(saved.vocabulary[first] + saved.vocabulary[second]) ?? 0;
        return [first * this.size + second, { rank, merged }];
      }),
    );
    this.characters = byteCharacters();
    this.bytes = new Map(this.characters.map((character, byte) => [character, byte]));
    /** @type {Map<string, number[]>} */
    this.cache = new Map();
  }

  /** @param {string} text */
  normalize(text) {
    return normalized(text, this.saved);
  }

  /**
   * The pieces of a word, as positions in the vocabulary: the merge that was learned first comes first.
   *
   * @param {string} word
   */
  mergedPieces(word) {
    const cached = this.cache.get(word);
    if (cached) return cached;
    const pieces = Array.from(new TextEncoder().encode(word), (byte) => this.numbers.get(this.characters[byte])).filter(
      (number) => number !== undefined,
    );
    for (;;) {
      let [best, place] = [Infinity, -1];
      for (let index = 0; index + 1 < pieces.length; index++) {
        const merge = this.merges.get(pieces[index] * this.size + pieces[index + 1]);
        if (merge && merge.rank < best) [best, place] = [merge.rank, index];
      }
      if (place < 0) break;
      const merge = this.merges.get(pieces[place] * this.size + pieces[place + 1]);
      pieces.splice(place, 2, merge ? merge.merged : 0);
    }
    if (this.cache.size < 10_000) this.cache.set(word, pieces);
    return pieces;
  }

  /**
   * @param {string} text
   * @returns {Encoding}
   */
  encode(text) {
    if (!text) return { ids: [], tokens: [], offsets: [] };
    const whole = ` ${this.normalize(text)}`;
    const words = whole.match(this.saved.segmentation === "marks" ? WORDS_WITH_MARKS : GPT2_WORDS) ?? [];
    const numbers = words.flatMap((word) => this.mergedPieces(word));
    const ids = numbers.map((number) => number + SPECIAL.length);
    return { ids, tokens: ids.map((id) => this.token(id)), offsets: this.spans(whole, numbers) };
  }

  /**
   * The characters that hold the bytes of every piece, without the space before them and the one before the text.
   *
   * @param {string} whole the text with a space before it
   * @param {number[]} numbers
   * @returns {[number, number][]}
   */
  spans(whole, numbers) {
    const characters = Array.from(whole);
    const encoder = new TextEncoder();
    const owners = characters.flatMap((character, index) => Array(encoder.encode(character).length).fill(index));
    let position = 0;
    return numbers.map((number) => {
      const first = owners[position];
      position += this.saved.vocabulary[number].length;
      const end = Math.max(1, owners[position - 1]);
      let start = Math.max(0, first - 1);
      if (end - start > 1 && characters[start + 1] === " ") start += 1;
      return [start, end];
    });
  }

  /**
   * The text of an id; a piece that is not whole characters shows its bytes.
   *
   * @param {number} id
   */
  token(id) {
    if (id < SPECIAL.length) return SPECIAL[id];
    const raw = this.rawBytes(id);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(raw));
    } catch {
      return raw.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    }
  }

  /** @param {number} id */
  rawBytes(id) {
    return Array.from(this.saved.vocabulary[id - SPECIAL.length], (character) => this.bytes.get(character) ?? 0);
  }

  /** @param {number[]} ids */
  decode(ids) {
    const mark = Array.from(new TextEncoder().encode(UNKNOWN));
    const raw = ids.flatMap((id) => (id === UNK ? mark : id >= SPECIAL.length ? this.rawBytes(id) : []));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(raw));
    return text.startsWith(" ") ? text.slice(1) : text;
  }
}
