// Curves as numbers: thinning, smoothing, the range of an axis and its ticks.

/** @typedef {[step: number, value: number]} Point */

const MAX_POINTS = 1200; // of a curve; a longer one loses every second point
const SMOOTHING = 0.5; // points are means already
const MANY_TIMES = 10; // positive values that differ by this factor are shown on a logarithmic axis
const UPPER_QUANTILE = 0.98; // of the losses; the chart cuts off the rest

/**
 * Drops every second point of a curve that has become too long; the last one stays.
 *
 * @param {Point[]} points
 */
function thin(points) {
  return points.length <= MAX_POINTS ? points : points.filter((_, index) => index % 2 !== points.length % 2);
}

/**
 * Exponential moving average, corrected for its start as in Adam.
 *
 * @param {Point[]} points
 * @returns {Point[]}
 */
function smooth(points) {
  let mean = 0;
  return points.map(([step, value], index) => {
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    return [step, mean / (1 - SMOOTHING ** (index + 1))];
  });
}

/**
 * Whether values are positive and differ so much that a logarithmic axis shows them better.
 *
 * @param {number[]} values those that are not finite do not count
 */
function isWide(values) {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  return finite.length > 0 && low > 0 && Math.max(...finite) >= MANY_TIMES * low;
}

/**
 * The range of an axis: from zero when the smallest value is near zero, up to the 98th percentile, with some room.
 *
 * @param {number[]} values those that are not finite do not count
 * @param {boolean} [logarithmic]
 * @returns {[low: number, high: number]}
 */
function valueRange(values, logarithmic = false) {
  const sorted = values.filter(Number.isFinite).sort((left, right) => left - right);
  if (!sorted.length) return [0, 1];
  const low = sorted[0];
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * UPPER_QUANTILE))];
  if (logarithmic) return [0.9 * low, 1.1 * high];
  if (high <= low) return [low - 0.5, low + 0.5];
  const room = 0.05 * (high - low);
  if (low >= 0 && low < 0.4 * high) return [0, high + room];
  return [low - room, high + room];
}

/**
 * Round values (1, 2, 2.5 or 5 times a power of ten apart) that cover a range.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} count about how many
 */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5].map((factor) => factor * power).find((size) => size >= raw * 0.999) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/**
 * Round values on a logarithmic axis: powers of ten, with twice and five times them when there are few.
 *
 * @param {number} low
 * @param {number} high
 */
function logTicks(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  const inside = [[1], [1, 2, 5]].map((factors) =>
    powers.flatMap((power) => factors.map((factor) => factor * power)).filter((value) => value >= low && value <= high),
  );
  return inside[0].length > 2 ? inside[0] : inside[1];
}

/**
 * A number beside an axis; one that would be wider than its place as a power of ten.
 *
 * @param {number} value
 */
function formatTick(value) {
  const text = String(value);
  return text.length > 6 && value !== 0 && Math.abs(value) < 1 ? value.toExponential() : text;
}
