// The row of a review that is decided next: source, output, why it is doubted, candidates, and an editor on request.

/** @typedef {{ text: string, before: string, p: number, end?: boolean }} ShadedToken */

/**
 * @typedef {object} CurrentRow
 * @property {number} row from 0
 * @property {number} position in the list
 * @property {string} source
 * @property {string} text the output
 * @property {string} decided what it was decided to be; empty if it is not
 * @property {RowState} state
 * @property {number | null} confidence
 * @property {string} words the confidence in words
 * @property {string[]} notes
 * @property {string[]} candidates from the table
 */

/** @typedef {{ row: number, tokens: ShadedToken[], candidates: string[], reasons: string[] }} RowDetail */

const MAX_CANDIDATES = 9;

/** @param {number} probability */
function tokenPercent(probability) {
  const value = 100 * probability;
  return value < 0.1 ? "< 0.1 %" : `${value >= 10 ? Math.floor(value) : value.toFixed(1)} %`;
}

/**
 * The output with its unlikely tokens shaded; the whole is one text for screen readers.
 *
 * @param {ShadedToken[]} tokens
 */
function shadedOutput(tokens) {
  return tokens.flatMap((token) => {
    const name = token.end ? "end of the output" : `“${token.text}”`;
    const node = el("span", {
      class: token.end ? "ntr-token ntr-end" : "ntr-token",
      "aria-hidden": token.end ? "true" : null,
      title: `${name}: p = ${tokenPercent(token.p)}`,
      text: token.end ? "■" : token.text,
    });
    node.style.setProperty("--doubt", (0.55 * (1 - token.p)).toFixed(3));
    return token.before ? [token.before, node] : [node];
  });
}

/**
 * The candidates of a row: those of the table, or else those of the model; none if there is only the output.
 *
 * @param {CurrentRow} current
 * @param {RowDetail | null} details
 */
function candidatesOf(current, details) {
  const texts = current.candidates.length > 1 ? current.candidates : (details?.candidates ?? []);
  const others = texts.some((text) => text !== current.text) ? texts : [];
  return [...new Set(others)].filter((text) => text.trim()).slice(0, MAX_CANDIDATES);
}

/**
 * A line of the card: a label and what it names.
 *
 * @param {string} label
 * @param {...Node} content
 */
function cardLine(label, ...content) {
  return el("div", { class: "ntr-line" }, el("div", { class: "ntr-label", text: label }), el("div", {}, ...content));
}

class Card {
  /**
   * @param {{ onCandidate: (text: string) => void, onSave: (text: string) => void, onCancel: () => void }} actions
   */
  constructor({ onCandidate, onSave, onCancel }) {
    this.onCandidate = onCandidate;
    /** @type {string[]} */
    this.candidates = [];
    this.heading = el("div", { class: "ntr-heading" });
    this.source = el("div", { class: "ntr-text", dir: "auto" });
    this.output = el("div", { class: "ntr-text ntr-output", dir: "auto" });
    this.confidence = el("div", { class: "ntr-confidence" });
    this.reasons = el("div");
    this.choices = el("div");
    this.field = el("textarea", {
      class: "ntr-field",
      dir: "auto",
      rows: 2,
      "aria-label": "Right output",
      spellcheck: "false",
    });
    const save = button("Save", () => onSave(this.field.value), { class: "ntg-button ntr-main" });
    save.append(keyCap("Ctrl + Enter"));
    const cancel = button("Cancel", onCancel);
    this.editor = el(
      "div",
      { class: "ntr-editor", hidden: true },
      this.field,
      el("div", { class: "ntr-row" }, save, cancel),
    );
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") onCancel();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSave(this.field.value);
      else return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would run the cell
    });
    this.node = el(
      "div",
      { class: "ntr-card", role: "group", tabindex: 0, "aria-label": "Row" },
      this.heading,
      cardLine("Source", this.source),
      cardLine("Output", this.output, this.editor),
      cardLine("Confidence", this.confidence, this.reasons),
      this.choices,
    );
  }

  get editing() {
    return !this.editor.hidden;
  }

  /** @param {CurrentRow} current */
  edit(current) {
    this.field.value = current.decided || current.text;
    this.editor.hidden = false;
    this.field.focus();
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  closeEditor() {
    this.editor.hidden = true;
  }

  /**
   * @param {CurrentRow} current
   * @param {RowDetail | null} details of this row, if they are there
   */
  draw(current, details) {
    const { row, text, decided, state } = current;
    this.node.setAttribute("aria-label", `Row ${row + 1}, ${STATES[state].words}`);
    const badge = el("span", { class: `ntr-badge ntr-${state}`, text: STATES[state].words });
    this.heading.replaceChildren(el("span", { text: `Row ${(row + 1).toLocaleString("en")}` }), badge);
    this.source.textContent = visible(current.source);
    this.drawOutput(text, details);
    if (state === "corrected") {
      const right = el("ins", { class: "ntr-text ntr-right", dir: "auto", text: visible(decided) });
      this.output.append(
        el("div", { class: "ntr-arrow" }, el("span", { class: "ntg-hidden", text: "corrected to " }), right),
      );
    }
    this.drawConfidence(current, details);
    this.drawCandidates(current, details);
  }

  /**
   * @param {string} text
   * @param {RowDetail | null} details
   */
  drawOutput(text, details) {
    const words = details?.tokens.length ? shadedOutput(details.tokens) : [visible(text)];
    this.output.replaceChildren(text ? el("span", {}, ...words) : el("em", { class: "ntg-muted", text: "empty" }));
  }

  /**
   * @param {CurrentRow} current
   * @param {RowDetail | null} details
   */
  drawConfidence({ confidence, words, notes }, details) {
    const meter = el("span", { class: "ntr-meter", "aria-hidden": "true" });
    meter.style.setProperty("--share", String(confidence ?? 0));
    this.confidence.replaceChildren(...(confidence === null ? [] : [meter]), words);
    const reasons = [...(details?.reasons ?? []), ...notes].map((reason) =>
      el("li", {}, el("bdi", { text: visible(reason) })),
    );
    this.reasons.replaceChildren(...(reasons.length ? [el("ul", { class: "ntr-reasons" }, ...reasons)] : []));
  }

  /**
   * @param {CurrentRow} current
   * @param {RowDetail | null} details
   */
  drawCandidates(current, details) {
    const before = this.candidates.join("\n");
    this.candidates = candidatesOf(current, details);
    if (before === this.candidates.join("\n") && this.choices.dataset.row === String(current.row)) return;
    this.choices.dataset.row = String(current.row);
    const items = this.candidates.map((text, index) => {
      const same = text === current.text;
      const words = el("bdi", { class: "ntr-text", text: visible(text) });
      const mark = same ? el("span", { class: "ntg-muted", text: "the output" }) : null;
      return el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "ntr-candidate", click: () => this.onCandidate(text) },
          keyCap(String(index + 1)),
          words,
          mark,
        ),
      );
    });
    const list = el("ol", { class: "ntr-candidates", "aria-label": "Candidates" }, ...items);
    this.choices.replaceChildren(...(items.length ? [cardLine("Candidates", list)] : []));
  }
}
