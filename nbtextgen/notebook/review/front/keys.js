// The keys of the review panel.

/** @typedef {"accept" | "edit" | "skip" | "undo" | "next" | "previous" | "explain" | "origins" | "help"} KeyAction */

/** @type {Record<string, KeyAction>} */
const KEYS = {
  Enter: "accept",
  e: "edit",
  s: "skip",
  u: "undo",
  j: "next",
  ArrowDown: "next",
  k: "previous",
  ArrowUp: "previous",
  x: "explain",
  t: "origins",
  "?": "help",
};

const KEY_WORDS = [
  ["Enter", "accept the output"],
  ["e", "edit it; Ctrl + Enter saves, Escape leaves it as it was"],
  ["1 – 9", "take a candidate"],
  ["s", "skip the row"],
  ["u", "undo the last decision"],
  ["j, k, ↓, ↑", "next row, previous row"],
  ["x", "explain the output"],
  ["t", "training rows behind it"],
  ["?", "show or hide these keys"],
];

/**
 * What a key asks for: an action, or a candidate by its number from 0; null for keys that belong to somebody else.
 *
 * @param {KeyboardEvent} event
 * @returns {KeyAction | number | null}
 */
function keyAction(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("textarea, select, input")) return null;
  if (target?.closest("button") && (event.key === "Enter" || event.key === " ")) return null;
  if (/^[1-9]$/.test(event.key)) return Number(event.key) - 1;
  return KEYS[event.key] ?? null;
}

/** The table of keys, and what else to know. */
function keyTable() {
  const rows = KEY_WORDS.map(([key, words]) =>
    el("tr", {}, el("th", { scope: "row" }, keyCap(key)), el("td", { text: words })),
  );
  const notes = "Keys work after a click on the row. Orange marks unlikely tokens, the darker the less likely.";
  return el(
    "div",
    {},
    el("table", { class: "ntr-keys", "aria-label": "Keys" }, el("tbody", {}, ...rows)),
    el("p", { text: notes }),
  );
}

/** @param {string} key */
function keyCap(key) {
  return el("kbd", { class: "ntr-key", text: key });
}
