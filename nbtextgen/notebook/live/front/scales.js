// Curves as numbers: thinning, smoothing, the range of an axis and its ticks.

/** @typedef {[step: number, value: number]} Point */

const MAX_POINTS = 1200; // of a curve; a longer one loses every second point
const SMOOTHING = 0.8;
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
 * The range of an axis: from zero when the smallest value is near zero, up to the 98th percentile, with some room.
 *
 * @param {number[]} values those that are not finite do not count
 * @returns {[low: number, high: number]}
 */
function valueRange(values) {
  const sorted = values.filter(Number.isFinite).sort((left, right) => left - right);
  if (!sorted.length) return [0, 1];
  const low = sorted[0];
  const high = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * UPPER_QUANTILE))];
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
