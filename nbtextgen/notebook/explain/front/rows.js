// The training rows behind an output: those that speak for it, and those that speak against it.

/**
 * @typedef {object} TrainingRow
 * @property {number} row its number in the data, counted from 0; below 0 for earlier data
 * @property {string} place where it came from
 * @property {string} source
 * @property {string} target
 * @property {number} share its influence as a share of the strongest; negative if it speaks against the output
 * @property {string} cleaning what cleaning changed; empty if nothing
 */

/**
 * The rows that were found; empty before a search.
 *
 * @typedef {object} FoundRows
 * @property {number | null} [token] the output token; null for the whole output
 * @property {string} [part] its text
 * @property {number} [at] when they were found
 * @property {TrainingRow[]} [proponents]
 * @property {TrainingRow[]} [opponents]
 * @property {string} [note] which rows are not listed
 */

/**
 * @param {FoundRows} found
 * @param {Set<number>} marks numbers of marked rows
 * @param {{ onMark: ((row: TrainingRow) => void) | null, onClose: () => void }} actions `onMark`: null where no kernel is behind
 */
function rowsView({ part, proponents = [], opponents = [], note = "" }, marks, { onMark, onClose }) {
  if (part === undefined) return null;
  const shown = [...proponents, ...opponents];
  const copy = button("Copy", () => copyRows(shown.filter((row) => !marks.size || marks.has(row.row))), {
    title: marks.size ? "copy the marked rows as a table" : "copy the rows as a table",
  });
  return el(
    "section",
    { class: "nte-change nte-rows", "aria-label": "Training rows" },
    el(
      "div",
      { class: "nte-line" },
      el("div", { class: "nte-sentences" }, "Training rows behind ", el("bdi", { text: `“${visible(part)}”` })),
      copy,
      closeButton("Close the training rows", onClose),
    ),
    rowsTable("for", proponents, marks, onMark),
    rowsTable("against", opponents, marks, onMark),
    shown.length ? null : el("p", { class: "ntg-muted", text: "No training row has an influence." }),
    note ? el("p", { class: "ntg-muted", text: note }) : null,
  );
}

/**
 * @param {"for" | "against"} side
 * @param {TrainingRow[]} rows
 * @param {Set<number>} marks
 * @param {((row: TrainingRow) => void) | null} onMark
 */
function rowsTable(side, rows, marks, onMark) {
  if (!rows.length) return null;
  return el(
    "table",
    { class: "nte-table" },
    el("caption", { text: side === "for" ? "speak for it" : "speak against it" }),
    el("tbody", {}, ...rows.map((row) => rowLine(side, row, marks.has(row.row), onMark))),
  );
}

/**
 * @param {"for" | "against"} side
 * @param {TrainingRow} row
 * @param {boolean} marked
 * @param {((row: TrainingRow) => void) | null} onMark
 */
function rowLine(side, row, marked, onMark) {
  const percent = Math.round(100 * Math.abs(row.share));
  const bar = el("span", { class: `nte-weight nte-${side}` });
  bar.style.setProperty("--share", "1");
  bar.style.width = `${Math.max(2, percent)}%`;
  const note = row.cleaning ? el("div", { class: "ntg-muted", text: visible(row.cleaning) }) : null;
  const label = `${marked ? "Unmark" : "Mark"} ${row.place}`;
  const mark = onMark
    ? button(marked ? "Marked" : "Mark", () => onMark(row), {
        "aria-pressed": String(marked),
        "aria-label": label,
        "data-row": row.row,
        title: "mark the row, to correct it: panel.marked",
      })
    : null;
  return el(
    "tr",
    {},
    el("td", { class: "nte-bar-cell", title: `${percent} % of the strongest` }, bar),
    el("td", { class: "ntg-muted nte-place", text: visible(row.place) }),
    el("td", {}, el("bdi", { class: "nte-cell", text: visible(row.source) }), note),
    el("td", {}, el("bdi", { class: "nte-cell", text: visible(row.target) })),
    el("td", { class: "nte-bar-cell" }, mark),
  );
}

/**
 * Puts rows into the clipboard as lines of place, source and target between tabs.
 *
 * @param {TrainingRow[]} rows
 */
function copyRows(rows) {
  const cell = (/** @type {string} */ text) => text.replace(/[\t\r\n]+/g, " ");
  const lines = rows.map((row) => [row.place, row.source, row.target].map(cell).join("\t"));
  return navigator.clipboard?.writeText(lines.join("\n"));
}
