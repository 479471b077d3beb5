// Sliders over a list of stops, and how values are written.

/**
 * The index of the stop nearest to a value.
 *
 * @param {number[]} stops
 * @param {number} value
 */
function nearestStop(stops, value) {
  return stops.reduce(
    (best, stop, index) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? index : best),
    0,
  );
}

/**
 * A value as text; numbers with up to six significant digits, without the noise of binary fractions.
 *
 * @param {unknown} value
 */
function formatValue(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  if (Array.isArray(value)) return value.join(",");
  return String(value);
}

/**
 * A slider that stops only at some values.
 *
 * @param {number[]} stops
 * @param {string} label
 */
function stopSlider(stops, label) {
  return el("input", { type: "range", min: 0, max: stops.length - 1, step: 1, "aria-label": label });
}
