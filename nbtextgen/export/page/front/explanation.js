// Which parts of the source an output depends on: attention, or Shapley values, as a shaded source and as a matrix.

/** Most units whose Shapley values are computed exactly. */
const EXACT_UNITS = 10;
/** Copies of the source that sampled values read at most. */
const BUDGET = 2000;
/** Most columns of a matrix whose cells show their numbers. */
const NUMBERED_COLUMNS = 12;

/**
 * What is explained: an output for a source.
 *
 * @typedef {object} Question
 * @property {EncodedSource} source
 * @property {number[]} ids token ids of the output, with the end token if it was generated
 * @property {string[]} tokens their texts
 * @property {Float32Array[]} attention of each token but the end
 */

/**
 * Values of the units of a source for each output token.
 *
 * @typedef {object} Explained
 * @property {"attention" | "shapley"} method
 * @property {string[]} units
 * @property {string[]} tokens
 * @property {Float64Array[]} rows values for each output token, one per unit
 * @property {Float64Array[] | null} errors
 * @property {string[]} sentences
 */

/** Shows the explanation of the current output. */
class ExplanationView {
  /**
   * @param {PageModel} model
   * @param {TaskRunner} runner
   */
  constructor(model, runner) {
    this.model = model;
    this.runner = runner;
    /** @type {Question | null} */
    this.question = null;
    /** @type {Explained | null} */
    this.explained = null;
    /** @type {number | null} */
    this.position = null;
    /** @type {"attention" | "shapley"} */
    this.method = model.hasAttention ? "attention" : "shapley";
    const words = model.codec.source.kind === "bpe" || model.codec.source.kind === "char";
    /** @type {"token" | "word"} */
    this.unit = model.codec.source.kind === "bpe" ? "word" : "token";
    this.methods = choice(
      "Method",
      "method",
      [
        ...(model.hasAttention ? [/** @type {[string, string]} */ (["attention", "Attention"])] : []),
        ["shapley", "Shapley values"],
      ],
      this.method,
      (method) => {
        this.method = method === "attention" ? "attention" : "shapley";
        this.begin(this.method === "shapley");
      },
    );
    this.methods.hidden = !model.hasAttention;
    this.unitChoice = choice(
      "Parts of the source",
      "unit",
      [
        ["token", model.codec.source.kind === "char" ? "Characters" : "Tokens"],
        ["word", "Words"],
      ],
      this.unit,
      (unit) => {
        this.unit = unit === "word" ? "word" : "token";
        this.begin(true);
      },
    );
    this.unitChoice.hidden = !words;
    this.computeButton = button("Compute Shapley values", () => this.begin(true));
    this.cancelButton = button("Cancel", () => this.cancel(), { hidden: true });
    this.progress = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Computing Shapley values" });
    this.result = el("div", { class: "explained" });
    this.root = el(
      "section",
      {},
      el("h2", { text: "Explanation" }),
      el("div", { class: "row" }, this.methods, this.unitChoice, this.computeButton, this.progress, this.cancelButton),
      this.result,
    );
  }

  /**
   * A new output is to be explained; null if there is none.
   *
   * @param {Question | null} question
   */
  ask(question) {
    this.question = question;
    this.position = null;
    this.begin(false);
  }

  /**
   * Shows the explanation of one output token, or with null of the whole output.
   *
   * @param {number | null} position
   */
  select(position) {
    this.position = position;
    if (this.explained) this.show();
  }

  /**
   * Computes: attention at once, Shapley values when they are asked for.
   *
   * @param {boolean} wanted whether Shapley values were asked for
   */
  begin(wanted) {
    this.cancel();
    this.explained = null;
    this.result.replaceChildren();
    this.computeButton.hidden = this.method === "attention" || !this.question;
    if (!this.question || !this.question.ids.length) return;
    if (this.method === "attention") this.showAttention(this.question);
    else if (wanted) this.computeShapley(this.question);
  }

  cancel() {
    this.runner.cancel();
    this.cancelButton.hidden = true;
    this.progress.hidden = true;
    this.computeButton.hidden = this.method === "attention" || !this.question;
  }

  /** @param {Question} question */
  showAttention({ source, tokens, attention }) {
    const units = cutIntoUnits(this.model, source, this.unit);
    this.explained = {
      method: "attention",
      units: units.texts,
      tokens: tokens.slice(0, attention.length),
      rows: attentionByUnit(attention, units),
      errors: null,
      sentences: ["Where the model looked when it wrote each token. Attention shows what was read, not what mattered."],
    };
    this.show();
  }

  /** @param {Question} question */
  computeShapley({ source, ids, tokens }) {
    const units = cutIntoUnits(this.model, source, this.unit);
    const exact = units.texts.length <= EXACT_UNITS;
    this.progress.hidden = this.cancelButton.hidden = false;
    this.computeButton.hidden = true;
    this.progress.value = 0;
    const value = new ValueFunction(this.model.ensemble, source, units, ids);
    this.runner.start(() => (exact ? exactShapley(value) : sampledShapley(value, BUDGET, 1)), {
      progress: (share) => (this.progress.value = share),
      done: (result) => {
        this.cancel();
        this.computeButton.hidden = true;
        this.explained = {
          method: "shapley",
          units: units.texts,
          tokens,
          rows: result.values,
          errors: result.errors,
          sentences: shapleySentences(units, result, exact),
        };
        this.show();
      },
      failed: (error) => {
        this.cancel();
        this.result.replaceChildren(el("p", { class: "error", text: error.message }));
      },
    });
  }

  /** Shows the values that are there. */
  show() {
    const explained = this.explained;
    if (!explained) return;
    const whole = this.position === null || this.position >= explained.rows.length;
    const position = whole || this.position === null ? null : this.position;
    const values = position === null ? overall(explained) : explained.rows[position];
    const largest = largestOf(position === null ? [values] : explained.rows);
    const about = position === null ? "the whole output" : `“${tokenLabel(explained.tokens[position])}”`;
    const chips = explained.units.map((text, unit) => {
      const chip = el("span", { class: "chip", text: tokenLabel(text), title: valueText(explained, values[unit]) });
      shade(chip, values[unit], largest);
      chip.append(el("span", { class: "ntg-hidden", text: ` ${valueText(explained, values[unit])}. ` }));
      return chip;
    });
    this.result.replaceChildren(
      el("p", {
        class: "muted",
        text: `For ${about}${position === null ? "; select an output token for its own values" : ""}:`,
      }),
      el("p", { class: "chips", dir: "auto", lang: "" }, ...chips),
      valueLegend(explained, largest),
      ...explained.sentences.map((text) => el("p", { class: "muted", text })),
      el(
        "details",
        {},
        el("summary", { text: "All values as a table" }),
        el(
          "div",
          { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of values" },
          valueTable(explained),
        ),
      ),
    );
  }
}

/**
 * Values for the whole output: sums of Shapley values, means of attention.
 *
 * @param {Explained} explained
 */
function overall({ method, units, rows }) {
  const values = new Float64Array(units.length);
  for (const row of rows)
    row.forEach((value, unit) => (values[unit] += method === "attention" ? value / rows.length : value));
  return values;
}

/** @param {Float64Array[]} rows */
function largestOf(rows) {
  return rows.reduce((most, row) => row.reduce((soFar, value) => Math.max(soFar, Math.abs(value)), most), 1e-9);
}

/**
 * @param {Explained} explained
 * @param {number} value
 */
function valueText({ method }, value) {
  if (method === "attention") return percent(value);
  const text = signed(value);
  return `${value > 0 && text !== "0.00" ? "+" : ""}${text} nats`;
}

/**
 * Colours an element by a value: positive values in one colour, negative ones in another.
 *
 * @param {HTMLElement} node
 * @param {number} value
 * @param {number} largest
 */
function shade(node, value, largest) {
  node.classList.add(value < 0 ? "negative" : "positive");
  node.style.setProperty("--strength", Math.min(1, Math.abs(value) / largest).toFixed(3));
}

/**
 * @param {Explained} explained
 * @param {number} largest
 */
function valueLegend(explained, largest) {
  const attention = explained.method === "attention";
  const ends = [attention ? "0 %" : valueText(explained, -largest), valueText(explained, largest)];
  const note = attention
    ? "share of the attention"
    : "how much a part raises the log-probability; +0.69 nats double the probability";
  return el(
    "p",
    { class: "legend" },
    el("span", { text: ends[0] }),
    el("span", { class: attention ? "ramp share" : "ramp signed", "aria-hidden": "true" }),
    el("span", { text: `${ends[1]} (${note})` }),
  );
}

/** @param {Explained} explained */
function valueTable(explained) {
  const { units, tokens, rows, errors } = explained;
  const largest = largestOf(rows);
  const numbered = units.length <= NUMBERED_COLUMNS;
  const body = rows.map((row, position) => {
    const cells = Array.from(row, (value, unit) => {
      const error = errors ? ` ± ${(1.96 * errors[position][unit]).toFixed(2)}` : "";
      const text = valueText(explained, value) + error;
      const cell = el("td", { title: `${tokenLabel(units[unit])}: ${text}` });
      const number = explained.method === "attention" ? percent(value) : signed(value);
      cell.append(el("span", { class: numbered ? "" : "ntg-hidden", text: number }));
      shade(cell, value, largest);
      return cell;
    });
    return el("tr", {}, el("th", { scope: "row", lang: "", text: tokenLabel(tokens[position]) }), ...cells);
  });
  const heads = units.map((text) => el("th", { scope: "col", lang: "", text: tokenLabel(text) }));
  const unit = explained.method === "attention" ? "" : ", in nats";
  return el(
    "table",
    { class: "matrix" },
    el("caption", { class: "muted", text: `Rows: tokens of the output. Columns: parts of the source${unit}.` }),
    el("thead", {}, el("tr", {}, el("td"), ...heads)),
    el("tbody", {}, ...body),
  );
}

/**
 * What Shapley values say about the whole output.
 *
 * @param {Units} units
 * @param {Attributions} result
 * @param {boolean} exact
 */
function shapleySentences(units, result, exact) {
  const [without, whole] = [sumOf(Array.from(result.base)), sumOf(Array.from(result.full))];
  const sums = Array.from(units.texts, (_, unit) => result.values.reduce((soFar, row) => soFar + row[unit], 0));
  const best = indexOfLargest(sums);
  const how = exact
    ? `exact: all ${(2 ** units.texts.length).toLocaleString("en")} subsets of ${units.texts.length} parts were read`
    : `sampled: ${result.copies.toLocaleString("en")} masked copies of the source were read; ± is a 95 % interval`;
  const effect =
    sums[best] > 0
      ? ` “${tokenLabel(units.texts[best])}” raises it most, by ${sums[best].toFixed(2)} nats.`
      : " No part of the source raises it.";
  return [
    `The log-probability of this output is ${signed(whole)} nats; with every part of the source masked it would be ` +
      `${signed(without)}.${effect}`,
    `Shapley values (${how}). They add up to the difference.`,
  ];
}

/**
 * A number with two digits after the point.
 *
 * @param {number} value
 */
function signed(value) {
  return value
    .toFixed(2)
    .replace(/^-0\.00$/, "0.00")
    .replace("-", "−");
}
