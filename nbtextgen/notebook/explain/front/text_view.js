// One explanation as text: input and output as chips, each shading what it has to do with.

const LISTED = 5; // attributions that a sentence lists

class TextView {
  /**
   * @param {Answer} answer
   * @param {((index: number, chip: HTMLElement) => void) | null} onEdit a press on an input unit
   */
  constructor(answer, onEdit) {
    this.answer = answer;
    this.byContext = answer.method === "context"; // two columns: the source, and the output so far
    /** @type {number | null} */
    this.selected = null; // the output token that stays selected
    this.summary = el("p", { class: "nte-summary", "aria-live": "polite" });
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
    this.node = el(
      "div",
      { class: "nte-view" },
      line("input", this.input.node),
      line("output", this.output.node),
      answer.contrast === null
        ? null
        : line("contrast", el("bdi", { class: "nte-text", text: visible(answer.contrast) })),
      this.summary,
    );
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.select(null);
    });
    this.showTotal();
  }

  /** @param {number | null} index of an output token */
  select(index) {
    this.selected = index;
    for (const [at, chip] of this.output.chips.entries()) chip.setAttribute("aria-pressed", String(at === index));
    this.rest();
  }

  /** What is shown while nothing is hovered or focused. */
  rest() {
    if (this.selected === null) this.showTotal();
    else this.showOutput(this.selected);
  }

  showTotal() {
    this.mark(null);
    if (this.byContext) {
      const fromSource = this.answer.values.map((row) => row[0]);
      shade(this.output, fromSource, "from the source");
      this.summary.textContent =
        "Shaded by the contribution of the source; hover over a token for that of the earlier output.";
      return;
    }
    shade(this.input, this.answer.total, "for the whole output");
    shade(this.output, null);
    this.summary.textContent =
      "Attributions for the whole output; hover over or focus a token on either side for its own.";
  }

  /** @param {number} row index of an output token */
  showOutput(row) {
    const { values, outputs, inputs, errors, logs, measure } = this.answer;
    const name = tokenName(outputs[row].text);
    this.mark(row);
    if (this.byContext) {
      const [source, context] = values[row];
      this.summary.textContent = `“${name}”: source ${formatSigned(source)}, earlier output ${formatSigned(context)} nats`;
      return;
    }
    shade(this.input, values[row], `for ${name}`);
    shade(this.output, null);
    const error = errors ? `, standard error at most ${largest(errors[row]).toFixed(3)}` : "";
    const list = attributionList(values[row], inputs);
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
    this.summary.textContent = `Top effects of input “${name}”: ${attributionList(effects, outputs)} (${measure})`;
  }

  /**
   * Shows one cell of the matrix.
   *
   * @param {number} row
   * @param {number} column
   */
  showCell(row, column) {
    const { values, outputs, inputs, measure } = this.answer;
    this.showOutput(row);
    const [output, input] = [tokenName(outputs[row].text), tokenName(inputs[column].text)];
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
