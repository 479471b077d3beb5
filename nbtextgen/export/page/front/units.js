// The parts of a source that an explanation gives values to, as in nbtextgen/explanation/units.py.

const END_SIGN = "■";

/**
 * @typedef {object} Units
 * @property {"token" | "word"} kind
 * @property {string[]} texts each unit as it is shown
 * @property {number[]} member the unit of every source token
 */

/**
 * Cuts a source into its tokens, or into words.
 *
 * @param {PageModel} model
 * @param {EncodedSource} source
 * @param {"token" | "word"} kind
 * @returns {Units}
 */
function cutIntoUnits(model, source, kind) {
  const characters = Array.from(model.codec.source.normalize(source.text));
  if (kind === "word") return groupedByWords(source, characters, model.breaks.wordSpans(characters));
  const names = nameBytes(source.tokens);
  const keys = source.offsets.map(String);
  const texts = source.offsets.map(([start, end], index) =>
    keys.indexOf(keys[index]) === keys.lastIndexOf(keys[index]) ? characters.slice(start, end).join("") : names[index],
  );
  return { kind, texts, member: texts.map((_, index) => index) };
}

/**
 * Groups tokens by the words that they overlap. A token across two words joins them; white space between words belongs to
 * the word after it.
 *
 * @param {EncodedSource} source
 * @param {string[]} characters
 * @param {[number, number][]} spans
 * @returns {Units}
 */
function groupedByWords(source, characters, spans) {
  const words = spans.length ? spans : [[0, characters.length]];
  const touched = source.offsets.map(([start, end]) => {
    const overlapping = words.flatMap(([from, to], index) => (start < to && from < end ? [index] : []));
    if (overlapping.length) return [overlapping[0], overlapping[overlapping.length - 1]];
    const following = words.findIndex(([from]) => from >= start);
    return following < 0 ? [words.length - 1, words.length - 1] : [following, following];
  });
  const group = words.map((_, index) => index);
  for (const [low, high] of touched) {
    const merged = group.slice(low, high + 1);
    if (high > low) group.forEach((number, index) => (group[index] = merged.includes(number) ? merged[0] : number));
  }
  const groups = [...new Set(touched.map(([first]) => group[first]))].sort((one, other) => one - other);
  const texts = groups.map((number) => {
    const members = words.filter((_, index) => group[index] === number);
    return characters.slice(members[0][0], members[members.length - 1][1]).join("");
  });
  return { kind: "word", texts, member: touched.map(([first]) => groups.indexOf(group[first])) };
}

/**
 * Names pieces of a character after it: `👍 1/4` for the first of its four bytes.
 *
 * @param {string[]} tokens
 */
function nameBytes(tokens) {
  const names = tokens.slice();
  /** @type {number[]} */
  let run = [];
  /** @type {number[]} */
  let raw = [];
  for (const [index, token] of tokens.entries()) {
    if (!/^(?:\\x[0-9a-f]{2})+$/.test(token)) {
      [run, raw] = [[], []];
      continue;
    }
    run.push(index);
    raw.push(
      ...token
        .split("\\x")
        .slice(1)
        .map((byte) => parseInt(byte, 16)),
    );
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(raw));
      for (const [place, piece] of run.entries()) names[piece] = `${stripped(text)} ${place + 1}/${run.length}`;
      [run, raw] = [[], []];
    } catch {
      continue; // the character is not complete yet
    }
  }
  return names;
}
