// The output of a model: tokens shaded by how unlikely they are, and for each the tokens that could stand there.

const ALTERNATIVES = 8;

/**
 * A probability in percent, with more digits for small ones.
 *
 * @param {number} probability
 */
function percent(probability) {
  const value = 100 * probability;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} %`;
}

/**
 * A token as it is shown: line breaks and other controls as pictures, a space alone as ␣.
 *
 * @param {string} token
 */
function tokenLabel(token) {
  return /^ +$/.test(token) ? "␣".repeat(token.length) : visible(token);
}

/** Shows one output. */
class OutputView {
  /**
   * @param {object} actions
   * @param {(position: number | null) => void} actions.select called with the position of a token, or null for none
   * @param {(position: number, alternative: Alternative) => void} actions.replace continue with another token
   * @param {() => void} actions.reset go back to the model's own output
   */
  constructor(actions) {
    this.actions = actions;
    /** @type {Output | null} */
    this.output = null;
    /** @type {number | null} */
    this.position = null;
    this.tokens = el("div", { class: "tokens", role: "toolbar", "aria-label": "Output tokens", dir: "auto", lang: "" });
    this.tokens.addEventListener("keydown", (event) => this.move(event));
    this.announcement = el("p", { class: "ntg-hidden", role: "status" });
    this.facts = el("p", { class: "muted" });
    this.alternatives = el("div", { class: "alternatives", hidden: true });
    this.resetButton = button("Back to the model's own output", () => actions.reset(), { hidden: true });
    this.root = el(
      "div",
      {},
      this.tokens,
      this.announcement,
      el("div", { class: "row" }, shadingLegend(), this.facts),
      this.alternatives,
      this.resetButton,
    );
  }

  /**
   * Shows tokens while they are generated.
   *
   * @param {string} text
   */
  showPartial(text) {
    this.output = null;
    this.tokens.replaceChildren(el("span", { text: visible(text) }));
    this.tokens.setAttribute("aria-busy", "true");
    this.alternatives.hidden = true;
  }

  /**
   * Shows a finished output.
   *
   * @param {Output} output
   * @param {string[]} pieces the text of each token within the output
   * @param {object} more
   * @param {number} more.milliseconds
   * @param {boolean} more.changed whether a reader chose one of its tokens
   * @param {boolean} more.ends whether its last log-probability is that of the end
   */
  show(output, pieces, { milliseconds, changed, ends }) {
    this.output = output;
    this.position = null;
    this.tokens.removeAttribute("aria-busy");
    const nodes = pieces.map((piece, position) =>
      this.token(piece, output.tokens[position], output.logs[position], position),
    );
    if (ends) nodes.push(this.token(END_SIGN, "the end", output.logs[output.ids.length], output.ids.length));
    nodes.forEach((node, position) => node.setAttribute("tabindex", position ? "-1" : "0"));
    this.tokens.replaceChildren(...nodes);
    this.alternatives.hidden = true;
    this.resetButton.hidden = !changed;
    setText(this.announcement, `Output: ${output.text || "empty"}`);
    const count = output.ids.length;
    setText(
      this.facts,
      `Confidence ${percent(confidence(output))} per token · ${count.toLocaleString("en")} token${count === 1 ? "" : "s"} · ` +
        `${Math.max(1, Math.round(milliseconds)).toLocaleString("en")} ms`,
    );
  }

  /**
   * Shows why there is no output.
   *
   * @param {string} message
   */
  showMessage(message) {
    this.output = null;
    this.tokens.removeAttribute("aria-busy");
    this.tokens.replaceChildren(el("span", { class: "muted", text: message }));
    this.alternatives.hidden = true;
    this.resetButton.hidden = true;
    setText(this.facts, "");
    setText(this.announcement, message);
  }

  /**
   * @param {string} piece
   * @param {string} name
   * @param {number} log
   * @param {number} position
   */
  token(piece, name, log, position) {
    const probability = Math.exp(log);
    const node = el("span", {
      class: position === this.output?.ids.length ? "token end" : "token",
      role: "button",
      "aria-pressed": "false",
      "aria-label": `${tokenLabel(name)}, ${percent(probability)}`,
      title: `${tokenLabel(name)}: ${percent(probability)}`,
      text: piece.replace(/[^\n]+/g, (line) => visible(line)),
      click: () => this.choose(position),
    });
    node.style.setProperty("--unlikely", String(Math.min(1, -log / Math.log(20)).toFixed(3)));
    return node;
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    const nodes = /** @type {HTMLElement[]} */ ([...this.tokens.children]);
    const current = nodes.indexOf(/** @type {HTMLElement} */ (event.target));
    if (current < 0 || !this.output) return;
    /** @type {Record<string, number>} */
    const places = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: nodes.length - 1 };
    if (event.key === "Enter" || event.key === " ") this.choose(current);
    else if (event.key === "Escape") this.choose(null);
    else if (event.key in places) {
      const place = places[event.key];
      const next = nodes[Math.max(0, Math.min(nodes.length - 1, place))];
      nodes.forEach((node) => node.setAttribute("tabindex", node === next ? "0" : "-1"));
      next.focus();
    } else return;
    event.preventDefault();
  }

  /**
   * Selects a token; selecting it again selects none.
   *
   * @param {number | null} position
   */
  choose(position) {
    this.position = position === this.position ? null : position;
    [...this.tokens.children].forEach((node, index) =>
      node.setAttribute("aria-pressed", String(index === this.position)),
    );
    if (this.position === null) this.alternatives.hidden = true;
    this.actions.select(this.position);
  }

  /**
   * Shows what could stand in the place of the selected token.
   *
   * @param {Alternative[]} alternatives
   */
  showAlternatives(alternatives) {
    const position = this.position;
    if (position === null || !this.output) return;
    const ids = [...this.output.ids, EOS];
    const rows = alternatives.map((alternative) => {
      const own = alternative.id === ids[position];
      const label = alternative.id === EOS ? "the end" : tokenLabel(alternative.text);
      const bar = el("span", { class: "bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", String(alternative.probability));
      return el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            class: "alternative",
            "aria-current": own ? "true" : null,
            "aria-label": `${label}, ${percent(alternative.probability)}${own ? ", chosen" : ""}`,
            click: () => !own && this.actions.replace(position, alternative),
          },
          el("bdi", { class: "piece", text: label, lang: "" }),
          bar,
          el("span", { class: "number", text: percent(alternative.probability) }),
        ),
      );
    });
    const name = position < this.output.tokens.length ? `“${tokenLabel(this.output.tokens[position])}”` : "the end";
    this.alternatives.replaceChildren(
      el("p", { class: "muted", text: `In the place of ${name}; choose one and the output continues from there:` }),
      el("ol", {}, ...rows),
    );
    this.alternatives.hidden = false;
  }
}

/** What the shading of the output means. */
function shadingLegend() {
  return el(
    "p",
    { class: "legend" },
    el("span", { text: "Probability of a token: 100 %" }),
    el("span", { class: "ramp unlikely", "aria-hidden": "true" }),
    el("span", { text: "5 % or less" }),
  );
}
