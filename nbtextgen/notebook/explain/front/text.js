// Small helpers for tokens and values.

/** A token as it is named: white space alone would be invisible. */
function shown(text) {
  return text.trim() ? visible(text) : visible(text.replaceAll(" ", "␣")) || "∅";
}

/** A value with its sign; a real minus, so that columns line up. */
function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return (Number(text) === 0 ? "" : value > 0 ? "+" : "\u2212") + text;
}

/** The largest absolute value of a list, or 1 where all are zero. */
function largest(values) {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(value));
  return found || 1;
}

/** Offsets count code points, as Python does; JavaScript counts UTF-16 units. */
function points(text) {
  return Array.from(text);
}

/** The numbers of the `count` strongest values, strongest first, those that are nothing left out. */
function strongest(values, count) {
  const order = values.map((value, at) => [Math.abs(value), at]).filter(([size]) => size > 0.0005);
  return order.sort((one, other) => other[0] - one[0]).slice(0, count).map(([, at]) => at);
}

const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** The reading direction of a text, by its first letter; `dir="auto"` would not look into the chips, which isolate theirs. */
function direction(text) {
  return LEFTWARD.test(text.match(/\p{L}/u)?.[0] ?? "") ? "rtl" : "ltr";
}
