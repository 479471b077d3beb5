// The rewriting steps of cleaning that a model applies to its inputs, as in nbtextgen/data/cleaning/steps.py.

/* eslint-disable no-control-regex -- these are the characters that the steps take out, or Python's white space */
const PYTHON_SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE_RUN = new RegExp(`[${PYTHON_SPACES}]+`, "gu");
const OUTER_SPACES = new RegExp(`^[${PYTHON_SPACES}]+|[${PYTHON_SPACES}]+$`, "gu");
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]/gu;
const ZERO_WIDTH = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
/* eslint-enable no-control-regex */
const QUOTES = new Map(Array.from("‘’‚‛“”„‟′″", (quote, index) => [quote, "''''\"\"\"\"'\""[index]]));
const REFERENCE = /&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g;

/**
 * What the steps need that the model's page carries.
 *
 * @typedef {object} CleaningTables
 * @property {string} tag pattern of HTML tags and comments
 * @property {Record<string, string>} entities characters by name, with the semicolon if it is needed
 * @property {Record<string, string>} replaced characters for invalid numbers
 * @property {number[]} invalid code points that are left out
 */

/**
 * Strips white space as Python does.
 *
 * @param {string} text
 */
function stripped(text) {
  return text.replace(OUTER_SPACES, "");
}

/**
 * Replaces character references as `html.unescape` does.
 *
 * @param {string} text
 * @param {CleaningTables} tables
 */
function unescaped(text, { entities, replaced, invalid }) {
  return text.replace(REFERENCE, (_, /** @type {string} */ name) => {
    if (name[0] !== "#") {
      if (Object.hasOwn(entities, name)) return entities[name];
      for (let length = name.length - 1; length > 1; length--) {
        const beginning = name.slice(0, length);
        if (Object.hasOwn(entities, beginning)) return entities[beginning] + name.slice(length);
      }
      return `&${name}`;
    }
    const hexadecimal = name[1] === "x" || name[1] === "X";
    const code = parseInt(hexadecimal ? name.slice(2) : name.slice(1), hexadecimal ? 16 : 10);
    if (Object.hasOwn(replaced, String(code))) return replaced[String(code)];
    if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return UNKNOWN;
    return invalid.includes(code) ? "" : String.fromCodePoint(code);
  });
}

/**
 * The rewriting steps as one function, which runs them until nothing changes.
 *
 * @param {string[]} steps in their order
 * @param {CleaningTables | null} tables needed by the step `markup`
 * @returns {(text: string) => string}
 */
function rewriter(steps, tables) {
  const tag = tables ? new RegExp(tables.tag, "gis") : null;
  /** @type {Record<string, (text: string) => string>} */
  const functions = {
    markup: (text) => (tables && tag && /[<&]/.test(text) ? unescaped(text.replace(tag, " "), tables) : text),
    control: (text) => text.replace(CONTROL, ""),
    "zero-width": (text) => text.replace(ZERO_WIDTH, ""),
    nfc: (text) => text.normalize("NFC"),
    nfkc: (text) => text.normalize("NFKC"),
    quotes: (text) => text.replace(/[\u2018-\u201f\u2032\u2033]/g, (quote) => QUOTES.get(quote) ?? quote),
    whitespace: (text) => stripped(text.replace(SPACE_RUN, " ")),
  };
  return (text) => {
    for (let pass = 0; pass < 20; pass++) {
      const before = text;
      for (const step of steps) text = functions[step](text);
      if (text === before) break;
    }
    return text;
  };
}
