// Small helpers: elements whose texts are only ever text nodes, and text made visible.

const NAMED = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u200b\u2060\ufeff\u00ad]/g;

/** An element; `text` becomes a text node, functions become listeners, everything else an attribute. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Control characters as pictures, invisible and direction marks by their number: nothing hides, nothing reorders. */
function visible(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(NAMED, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

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
