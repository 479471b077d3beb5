// The controls of decoding: greedy, beam search or sampling, with their options and the rules of every output.

/**
 * A number that a reader sets.
 *
 * @typedef {object} NumberField
 * @property {keyof DecodingOptions} name
 * @property {string} label
 * @property {string} hint
 * @property {number} least
 * @property {number} most
 * @property {number} step
 * @property {number | null} start null is left open
 * @property {string[]} modes
 * @property {number} [set] what it begins with, in the place of `start`
 */

const MODES = { greedy: "Greedy", beam: "Beam search", sample: "Sampling" };

/** @type {NumberField[]} */
const NUMBER_FIELDS = [
  ["beam", "Beam width", "hypotheses kept at every step", 2, 16, 1, 5, ["beam"]],
  ["n_best", "Candidates", "outputs shown", 1, 10, 1, 3, ["beam", "sample"]],
  ["length_penalty", "Length penalty", "0 prefers short outputs; empty: learned", 0, 2, 0.1, null, ["beam"]],
  ["temperature", "Temperature", "below 1 sharpens", 0.1, 3, 0.05, 1, ["sample"]],
  ["top_k", "Top k", "likeliest tokens only; 0 is off", 0, 1000, 1, 0, ["sample"]],
  ["top_p", "Top p", "smallest set with this probability", 0.05, 1, 0.05, 1, ["sample"]],
  ["min_p", "Min p", "relative to the likeliest", 0, 1, 0.01, 0, ["sample"]],
  ["seed", "Seed", "the same seed draws the same", 0, 2 ** 32 - 1, 1, 1, ["sample"]],
  ["min_length", "Shortest output", "tokens", 0, 1000, 1, 0, ["greedy", "beam", "sample"]],
  ["max_length", "Longest output", "tokens; empty: learned", 1, 1000, 1, null, ["greedy", "beam", "sample"]],
  ["no_repeat_ngram", "No repeats of", "tokens in a row; 0 is off", 0, 10, 1, 0, ["greedy", "beam", "sample"]],
].map(
  ([name, label, hint, least, most, step, start, modes]) =>
    /** @type {NumberField} */ ({ name, label, hint, least, most, step, start, modes }),
);

/** Holds the options of decoding and shows their controls. */
class DecodingControls {
  /**
   * @param {object} settings
   * @param {boolean} settings.continues whether the model continues a text
   * @param {boolean} settings.canReplace whether unknown words can be replaced
   * @param {Partial<DecodingOptions>} settings.start what the controls begin with
   * @param {() => void} settings.changed called after every change
   */
  constructor({ continues, canReplace, start, changed }) {
    this.continues = continues;
    this.changed = changed;
    this.mode = startingMode(continues, start);
    this.length = numberInput(1, 5000, 1, 200);
    /** @type {Map<keyof DecodingOptions, HTMLInputElement>} */
    this.inputs = new Map();
    this.prefix = el("input", {
      type: "text",
      dir: "auto",
      lang: "",
      autocomplete: "off",
      value: start.prefix ?? "",
      input: () => this.changed(),
    });
    this.replaceUnknown = el("input", {
      type: "checkbox",
      checked: Boolean(start.replace_unknown),
      change: () => this.changed(),
    });
    this.summary = el("span", { class: "muted" });
    this.fields = NUMBER_FIELDS.filter(
      ({ name }) => !continues || !["n_best", "min_length", "max_length", "beam"].includes(name),
    ).map((field) => (field.modes.includes(this.mode) ? fieldWith(field, start[field.name]) : field));
    const rows = this.fields.map((field) => this.numberRow(field));
    if (continues) rows.unshift(labelled("Tokens to write", "", this.length));
    else rows.push(labelled("Output begins with", "", this.prefix));
    if (canReplace)
      rows.push(labelled("Replace unknown words", "by the source word attended to most", this.replaceUnknown));
    this.length.addEventListener("input", () => this.changed());
    this.root = el(
      "details",
      { class: "box" },
      el("summary", {}, "Decoding", this.summary),
      this.modeChoice(),
      el("div", { class: "fields" }, ...rows),
    );
    this.update();
  }

  modeChoice() {
    const modes = Object.entries(MODES).filter(([mode]) => !this.continues || mode !== "beam");
    return choice("Decoding", "mode", modes, this.mode, (mode) => {
      this.mode = mode;
      this.update();
      this.changed();
    });
  }

  /** @param {NumberField} field */
  numberRow(field) {
    const usual = this.continues && field.name === "temperature" ? 0.8 : field.start;
    const input = numberInput(field.least, field.most, field.step, field.set ?? usual);
    input.addEventListener("input", () => {
      this.update();
      this.changed();
    });
    this.inputs.set(field.name, input);
    const row = labelled(field.label, field.hint, input);
    row.dataset.modes = field.modes.join(" ");
    return row;
  }

  /** Shows the fields of the chosen way of decoding. */
  update() {
    for (const row of this.root.querySelectorAll("[data-modes]")) {
      if (row instanceof HTMLElement) row.hidden = !(row.dataset.modes ?? "").split(" ").includes(this.mode);
    }
    const { beam, seed } = this.options();
    /** @type {Record<string, string>} */
    const details = { greedy: "greedy", beam: `beam search, ${beam} hypotheses`, sample: `sampling, seed ${seed}` };
    setText(this.summary, details[this.mode]);
  }

  /**
   * The options as they are set; a number out of range counts as the nearest one within it.
   *
   * @returns {DecodingOptions}
   */
  options() {
    /** @type {Record<string, number | boolean | string | null>} */
    const chosen = { sample: this.mode === "sample", prefix: this.prefix.value };
    for (const { name, modes, least, most, step, start } of this.fields) {
      if (!modes.includes(this.mode)) continue;
      const text = this.inputs.get(name)?.value ?? "";
      const number = text === "" || Number.isNaN(Number(text)) ? start : Math.min(most, Math.max(least, Number(text)));
      chosen[name] = number === null || step < 1 ? number : Math.round(number);
    }
    if (chosen.max_length) chosen.min_length = Math.min(Number(chosen.min_length), Number(chosen.max_length));
    return { ...DEFAULT_OPTIONS, ...chosen, replace_unknown: this.replaceUnknown.checked };
  }

  /** Tokens to write, of a model that continues a text. */
  lengthToWrite() {
    return Math.min(5000, Math.max(1, Math.round(Number(this.length.value)) || 200));
  }
}

/**
 * A field that begins with a value; one beyond its range widens it.
 *
 * @param {NumberField} field
 * @param {unknown} value
 * @returns {NumberField}
 */
function fieldWith(field, value) {
  if (typeof value !== "number") return field;
  return { ...field, set: value, least: Math.min(field.least, value), most: Math.max(field.most, value) };
}

/**
 * @param {boolean} continues
 * @param {Partial<DecodingOptions>} start
 */
function startingMode(continues, start) {
  if (start.sample ?? continues) return "sample";
  return (start.beam ?? 1) > 1 && !continues ? "beam" : "greedy";
}

/**
 * @param {number} least
 * @param {number} most
 * @param {number} step
 * @param {number | null} start
 */
function numberInput(least, most, step, start) {
  return el("input", { type: "number", min: least, max: most, step, value: start, inputmode: "decimal" });
}

/**
 * A control with its label and a hint beside it.
 *
 * @param {string} text
 * @param {string} hint
 * @param {HTMLInputElement} control
 */
function labelled(text, hint, control) {
  const hintId = uniqueId();
  if (hint) control.setAttribute("aria-describedby", hintId);
  return el(
    "div",
    { class: "field" },
    el("label", {}, el("span", { text }), control),
    hint ? el("span", { class: "muted hint", id: hintId, text: hint }) : null,
  );
}

/**
 * One of several words, as radio buttons side by side.
 *
 * @param {string} legend
 * @param {string} name
 * @param {[string, string][]} entries value and label of each
 * @param {string} start
 * @param {(value: string) => void} changed
 */
function choice(legend, name, entries, start, changed) {
  const options = entries.map(([value, label]) =>
    el(
      "label",
      {},
      el("input", { type: "radio", name, value, checked: value === start, change: () => changed(value) }),
      el("span", { text: label }),
    ),
  );
  return el("fieldset", { class: "choice" }, el("legend", { class: "ntg-hidden", text: legend }), ...options);
}
