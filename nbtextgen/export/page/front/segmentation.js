// Words by Unicode Standard Annex 29, piece for piece as nbtextgen/tokenizers/segmentation.py finds them with `regex`.

/** White space as `regex` has it. */
const WHITE_SPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const APOSTROPHES = ["'", "\u2019"];
const VOWELS = new Set("aeiouàáâèéêìíîòóôùúû");
const HYPHENS = ["-", "\u2010", "\u2011"];
const LETTER_OR_MARK = /[\p{L}\p{M}]/u;
const LETTER = /\p{L}/u;
const LETTERS = ["ALetter", "Hebrew_Letter"];
const LINE_ENDS = ["CR", "LF", "Newline"];
const IGNORED = ["Extend", "Format", "ZWJ"];
const MIDDLE_OF_BOTH = ["MidNumLet", "Single_Quote"];

/**
 * @param {Uint8Array} numbers
 * @param {string} runs in base 36: gap, length, gap, length, ...
 * @param {number} value
 */
function fill(numbers, runs, value) {
  let position = 0;
  const lengths = runs.split(" ").map((part) => parseInt(part, 36));
  for (let run = 0; run + 1 < lengths.length; run += 2) {
    position += lengths[run];
    numbers.fill(value, position, position + lengths[run + 1]);
    position += lengths[run + 1];
  }
}

/**
 * The value of the property Word_Break of every character, from runs in base 36: gap, length, gap, length, ...
 */
class WordBreaks {
  /** @param {Record<string, string>} runs by value, and those of the pictographs */
  constructor(runs) {
    const { Extended_Pictographic: pictographs = "", ...values } = runs;
    this.names = ["Other", ...Object.keys(values)];
    this.numbers = new Uint8Array(0x110000);
    for (const [index, text] of Object.values(values).entries()) fill(this.numbers, text, index + 1);
    this.pictographs = new Uint8Array(0x110000);
    fill(this.pictographs, pictographs, 1);
  }

  /** @param {string} character */
  of(character) {
    return this.names[this.numbers[character.codePointAt(0) ?? 0]];
  }

  /**
   * Whether a word may begin or end before `characters[position]`. The numbers are those of the rules of UAX 29; like
   * `regex`, no break stands between an apostrophe and a vowel, or after an odd number of regional indicators.
   *
   * @param {string[]} characters
   * @param {number} position
   */
  boundary(characters, position) {
    if (position <= 0 || position >= characters.length) return characters.length > 0;
    const right = this.of(characters[position]);
    let at = position - 1;
    let left = this.of(characters[at]);
    if (left === "CR" && right === "LF") return false; // WB3
    if (LINE_ENDS.includes(left) || LINE_ENDS.includes(right)) return true; // WB3a, WB3b
    if (left === "ZWJ" && this.pictographs[characters[position].codePointAt(0) ?? 0]) return false; // WB3c
    if (left === "WSegSpace" && right === "WSegSpace") return false; // WB3d
    if (IGNORED.includes(right)) return false; // WB4
    while (IGNORED.includes(left)) {
      if (at <= 0) return false;
      left = this.of(characters[--at]);
    }
    if (APOSTROPHES.includes(characters[at]) && VOWELS.has(characters[position].toLowerCase())) return false;
    const before = at > 0 ? this.of(characters[at - 1]) : "";
    const after = position + 1 < characters.length ? this.of(characters[position + 1]) : "";
    if (joined(before, left, right, after)) return false;
    let indicators = 0;
    while (at - indicators >= 0 && this.of(characters[at - indicators]) === "Regional_Indicator") indicators++;
    return indicators % 2 === 0; // WB15, WB16
  }

  /**
   * The end of the word, mark or apostrophe that begins at a position; -1 at white space.
   *
   * @param {string[]} characters
   * @param {number} start
   */
  wordEnd(characters, start) {
    if (start >= characters.length) return -1;
    if (APOSTROPHES.includes(characters[start])) return start + 1;
    if (WHITE_SPACE.test(characters[start])) return -1;
    let end = start + 1;
    while (!this.boundary(characters, end) && !WHITE_SPACE.test(characters[end])) end++;
    return end;
  }

  /**
   * Splits a text into words, marks and white space; the space before a word or mark belongs to it.
   *
   * @param {string} text
   */
  pieces(text) {
    const characters = Array.from(text);
    const pieces = [];
    let position = 0;
    while (position < characters.length) {
      let end = characters[position] === " " ? this.wordEnd(characters, position + 1) : -1;
      if (end < 0) end = this.wordEnd(characters, position);
      if (end < 0) end = position + 1;
      pieces.push(characters.slice(position, end).join(""));
      position = end;
    }
    return pieces;
  }

  /**
   * Start and end of every word and mark, in characters; parts of a word with a hyphen belong together.
   *
   * @param {string[]} characters
   * @returns {[number, number][]}
   */
  wordSpans(characters) {
    /** @type {[number, number][]} */
    const spans = [];
    let position = 0;
    while (position < characters.length) {
      let last = position;
      for (let next = hyphenated(characters, last); next > last; next = hyphenated(characters, last)) last = next;
      const end = this.wordEnd(characters, last);
      if (end < 0) position++;
      else {
        spans.push([position, end]);
        position = end;
      }
    }
    return spans;
  }
}

/**
 * Rules WB5 to WB13b for the values of four neighbours: whether the second and third belong together.
 *
 * @param {string} before
 * @param {string} left
 * @param {string} right
 * @param {string} after
 */
function joined(before, left, right, after) {
  const letter = LETTERS.includes(left);
  const letterAfter = LETTERS.includes(right);
  const inWord = (/** @type {string} */ value) => value === "MidLetter" || MIDDLE_OF_BOTH.includes(value);
  const inNumber = (/** @type {string} */ value) => value === "MidNum" || MIDDLE_OF_BOTH.includes(value);
  return (
    (letter && letterAfter) || // WB5
    (letter && inWord(right) && LETTERS.includes(after)) || // WB6
    (LETTERS.includes(before) && inWord(left) && letterAfter) || // WB7
    (left === "Hebrew_Letter" && right === "Single_Quote") || // WB7a
    (left === "Hebrew_Letter" && right === "Double_Quote" && after === "Hebrew_Letter") || // WB7b
    (before === "Hebrew_Letter" && left === "Double_Quote" && right === "Hebrew_Letter") || // WB7c
    ((letter || left === "Numeric") && right === "Numeric") || // WB8, WB9
    (left === "Numeric" && letterAfter) || // WB10
    (before === "Numeric" && inNumber(left) && right === "Numeric") || // WB11
    (left === "Numeric" && inNumber(right) && after === "Numeric") || // WB12
    (left === "Katakana" && right === "Katakana") || // WB13
    ((letter || ["Numeric", "Katakana", "ExtendNumLet"].includes(left)) && right === "ExtendNumLet") || // WB13a
    (left === "ExtendNumLet" && (letterAfter || right === "Numeric" || right === "Katakana")) // WB13b
  );
}

/**
 * The position after a part of a word with its hyphen, if a letter follows; else the same position.
 *
 * @param {string[]} characters
 * @param {number} start
 */
function hyphenated(characters, start) {
  if (start >= characters.length || !LETTER_OR_MARK.test(characters[start])) return start;
  let end = start + 1;
  while (end < characters.length && (LETTER_OR_MARK.test(characters[end]) || APOSTROPHES.includes(characters[end])))
    end++;
  const follows = HYPHENS.includes(characters[end]) && end + 1 < characters.length && LETTER.test(characters[end + 1]);
  return follows ? end + 1 : start;
}
