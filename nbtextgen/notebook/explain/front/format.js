// Explanations as plain values, and how their tokens and numbers are written.

/** @typedef {{ text: string, start: number, stop: number }} TextPart offsets count code points of the whole text */

/**
 * One explanation; see `payload.py`. Rows of a matrix are output tokens, columns are input units.
 *
 * @typedef {object} Answer
 * @property {string} method
 * @property {string} name of the method
 * @property {string} algorithm
 * @property {string} source
 * @property {string} text the output
 * @property {string | null} contrast the output it is compared with
 * @property {string} unit
 * @property {TextPart[]} inputs
 * @property {TextPart[]} outputs
 * @property {number[][]} values the attributions
 * @property {number[][] | null} errors their standard errors
 * @property {number[][][] | null} heads attention weights of each head
 * @property {number[]} logs log-probabilities of the output tokens
 * @property {number[] | null} [totalErrors] standard errors of `total`
 * @property {number[]} total attributions for the whole output
 * @property {string} measure unit of the values
 * @property {string} sentence where the output comes from, in plain words
 * @property {string[]} sentences the same for each output token; empty before the answer is final
 * @property {{ total: Pair[], tokens: Pair[][] } | null} pairs strongest interactions of input units
 * @property {TextPart[]} [earlier] output tokens that the values of later ones are attributed to as well
 * @property {number[][]} [earlierValues] attributions to them; zero where they come later
 * @property {string[]} notes
 * @property {boolean} final whether no better values will come
 */

const NEGLIGIBLE = 0.0005; // attributions below this are not listed
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A token as it is named; white space alone would be invisible.
 *
 * @param {string} text
 */
function tokenName(text) {
  return text.trim() ? visible(text) : visible(text.replaceAll(" ", "␣")) || "∅";
}

/**
 * A number with its sign; a real minus sign is as wide as a plus.
 *
 * @param {number} value
 * @param {number} [digits]
 */
function formatSigned(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return (Number(text) === 0 ? "" : value > 0 ? "+" : "\u2212") + text;
}

/**
 * The largest absolute value, or 1 where all are zero.
 *
 * @param {number[]} values
 */
function largest(values) {
  let size = 0;
  for (const value of values) size = Math.max(size, Math.abs(value));
  return size || 1;
}

/**
 * The characters of a text. Offsets count code points, as in Python; JavaScript's strings count UTF-16 units.
 *
 * @param {string} text
 */
function codePoints(text) {
  return Array.from(text);
}

/**
 * The indices of the largest absolute values, in descending order, without negligible ones.
 *
 * @param {number[]} values
 * @param {number} count at most so many
 */
function strongest(values, count) {
  return [...values.keys()]
    .filter((index) => Math.abs(values[index]) > NEGLIGIBLE)
    .sort((left, right) => Math.abs(values[right]) - Math.abs(values[left]))
    .slice(0, count);
}

/**
 * The direction of a text by its first letter; `dir="auto"` does not look into chips, which isolate their direction.
 *
 * @param {string} text
 */
function textDirection(text) {
  return RIGHT_TO_LEFT.test(text.match(/\p{L}/u)?.[0] ?? "") ? "rtl" : "ltr";
}

/**
 * An explanation by one attention head.
 *
 * @param {Answer | undefined} answer
 * @param {number} head counted from 1; 0 is the mean of all
 */
function headAnswer(answer, head) {
  const values = answer?.heads?.[head - 1];
  if (!answer?.heads || !values) return answer;
  const total = answer.inputs.map((_, column) => values.reduce((sum, row) => sum + row[column], 0) / values.length);
  const algorithm = `head ${head} of ${answer.heads.length}`;
  return { ...answer, name: `${answer.name}, head ${head}`, algorithm, notes: [], values, total };
}
