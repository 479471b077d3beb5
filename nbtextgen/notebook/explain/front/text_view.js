// One explanation as text: input and output as chips, each shading what it has to do with.

const LISTED = 5; // attributions that a sentence lists

const CHIP_STRENGTH = 0.72; // opacity of the strongest shade, as in the style sheet

/**
 * @typedef {object} TextViewOptions
 * @property {((index: number, chip: HTMLElement) => void) | null} [onEdit] a press on an input unit
 * @property {number | null} [selected] the output token that is selected at first
 * @property {(index: number | null) => void} [onSelect]
 * @property {boolean} [arcs] whether interactions are drawn
 */

class TextView {
  /**
   * @param {Answer} answer
   * @param {TextViewOptions} options
   */
  constructor(answer, { onEdit = null, selected = null, onSelect = () => {}, arcs = false } = {}) {
    this.answer = answer;
    this.onSelect = onSelect;
    this.byContext = answer.method === "context"; // two columns: the source, and the output so far
    this.sentence = el("p", { class: "nte-sentence" });
    this.summary = el("p", { class: "nte-summary", "aria-live": "polite" });
    this.legend = el("div", { class: "nte-legend" });
    this.input = this.byContext
      ? { node: el("bdi", { class: "nte-text", text: visible(answer.source) }), chips: [] }
      : chipRow("Input", answer.source, answer.inputs, {
          onActive: (index) => (index === null ? this.rest() : this.showInput(index)),
          onPress: (index, chip) => onEdit?.(index, chip),
        });
    this.output = chipRow("Output", answer.text, answer.outputs, {
      onActive: (index) => (index === null ? this.rest() : this.showOutput(index)),
      onPress: (index) => this.select(this.selected === index ? null : index),
    });
    this.arcs = arcs && answer.pairs && !this.byContext ? arcsOver(this.input) : null;
    this.node = el(
      "div",
      { class: "nte-view" },
      this.sentence,
      line("input", this.input.node),
      line("output", this.output.node),
      answer.contrast === null
        ? null
        : line("contrast", el("bdi", { class: "nte-text", text: visible(answer.contrast) })),
      this.legend,
      this.summary,
    );
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.select(null);
    });
    /** @type {number | null} */
    this.selected = selected !== null && selected < answer.outputs.length ? selected : null;
    this.press(this.selected);
    this.rest();
  }

  /** @param {number | null} index of an output token */
  select(index) {
    this.selected = index;
    this.onSelect(index);
    this.press(index);
    this.rest();
  }

  /** @param {number | null} index */
  press(index) {
    for (const [at, chip] of this.output.chips.entries()) chip.setAttribute("aria-pressed", String(at === index));
  }

  /** What is shown while nothing is hovered or focused. */
  rest() {
    if (this.selected === null) this.showTotal();
    else this.showOutput(this.selected);
  }

  /** @param {number | null} row an output token, or the whole output */
  describe(row) {
    const { sentence, sentences } = this.answer;
    setText(this.sentence, visible((row === null ? sentence : sentences[row]) ?? ""));
  }

  /** @param {number[]} values */
  drawLegend(values) {
    this.legend.replaceChildren(colourBar(largest(values), this.answer.measure, CHIP_STRENGTH));
  }

  /** @param {number | null} row an output token, or the whole output */
  drawArcs(row) {
    const { pairs } = this.answer;
    if (this.arcs && pairs) this.arcs.show((row === null ? pairs.total : pairs.tokens[row]) ?? []);
  }

  showTotal() {
    this.mark(null);
    this.describe(null);
    this.drawArcs(null);
    if (this.byContext) {
      const fromSource = this.answer.values.map((row) => row[0]);
      shade(this.output, fromSource, "from the source");
      this.drawLegend(fromSource);
      this.summary.textContent =
        "Shaded by the contribution of the source; hover over a token for that of the earlier output.";
      return;
    }
    shade(this.input, this.answer.total, "for the whole output", null, this.answer.totalErrors ?? null);
    shade(this.output, null);
    this.drawLegend(this.answer.total);
    this.summary.textContent = this.arcs
      ? `Interactions for the whole output: ${pairList(this.answer.pairs?.total ?? [], players(this.answer))}`
      : "Attributions for the whole output; hover over or focus a token on either side for its own.";
  }

  /** @param {number} row index of an output token */
  showOutput(row) {
    const { values, outputs, inputs, errors, logs, measure, earlierValues, pairs } = this.answer;
    const name = tokenName(outputs[row].text);
    this.mark(row);
    this.describe(row);
    this.drawArcs(row);
    if (this.byContext) {
      const [source, context] = values[row];
      this.summary.textContent = `“${name}”: source ${formatSigned(source)}, earlier output ${formatSigned(context)} nats`;
      return;
    }
    const before = earlierValues?.[row];
    const scale = largest([...values[row], ...(before ?? [])]);
    shade(this.input, values[row], `for ${name}`, scale, errors?.[row] ?? null);
    shade(this.output, before ? outputs.map((_, index) => before[index] ?? 0) : null, `for ${name}`, scale);
    this.drawLegend([scale]);
    if (this.arcs && pairs) {
      this.summary.textContent = `Interactions for output “${name}”: ${pairList(pairs.tokens[row] ?? [], players(this.answer))}`;
      return;
    }
    const error = errors ? `, standard error at most ${largest(errors[row]).toFixed(3)}` : "";
    const list = attributionList([...values[row], ...(before ?? [])], [...inputs, ...(before ? outputs : [])]);
    this.summary.textContent = `Top attributions for output “${name}”: ${list} (${measure}${error}); log p ${formatSigned(logs[row])}`;
  }

  /** @param {number} column index of an input unit */
  showInput(column) {
    if (this.byContext) return;
    const { values, outputs, inputs, measure } = this.answer;
    const name = tokenName(inputs[column].text);
    const effects = values.map((row) => row[column]);
    this.mark(null);
    shade(this.input, null);
    shade(this.output, effects, `from ${name}`);
    this.describe(null);
    this.drawLegend(effects);
    this.summary.textContent = `Top effects of input “${name}”: ${attributionList(effects, outputs)} (${measure})`;
  }

  /**
   * Shows one cell of the matrix.
   *
   * @param {number} row
   * @param {number} column
   */
  showCell(row, column) {
    const { columns, rows, values, measure } = matrixOf(this.answer);
    this.showOutput(row);
    const [output, input] = [tokenName(rows[row].text), tokenName(columns[column].text)];
    this.summary.textContent = `“${output}” from “${input}”: ${formatSigned(values[row][column], 3)} ${measure}`;
  }

  /** @param {number | null} row the output token to frame */
  mark(row) {
    for (const [index, chip] of this.output.chips.entries()) chip.classList.toggle("nte-chosen", index === row);
  }
}

/**
 * @param {number[]} values
 * @param {TextPart[]} parts
 */
function attributionList(values, parts) {
  const items = strongest(values, LISTED).map(
    (index) => `“${tokenName(parts[index].text)}” ${formatSigned(values[index])}`,
  );
  return items.join(" · ") || "none";
}
