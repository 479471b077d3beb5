// The page: a source to type, the output as it is generated, and what explains it.

/** Holds the parts of the page together. */
class Page {
  /** @param {PageModel} model */
  constructor(model) {
    this.model = model;
    const { name, example, continuation, decoding, embedded } = model.description;
    this.continues = continuation !== null;
    this.writing = new TaskRunner();
    /** @type {number[]} */
    this.prefix = [];
    /** @type {EncodedSource | null} */
    this.source = null;
    /** @type {Output[]} */
    this.outputs = [];
    this.input = el("textarea", {
      id: "source",
      rows: 2,
      dir: "auto",
      lang: "",
      spellcheck: "false",
      autocomplete: "off",
      input: () => this.restart(),
    });
    this.input.value = example;
    this.output = new OutputView({
      select: (position) => this.select(position),
      replace: (position, alternative) => this.replace(position, alternative),
      reset: () => this.restart(),
    });
    this.decoding = new DecodingControls({
      continues: this.continues,
      canReplace: model.hasAttention && !this.continues && !model.description.networks[0].options.copy,
      start: decoding ?? {},
      changed: () => this.restart(),
    });
    this.explanation = new ExplanationView(model, new TaskRunner());
    this.notes = el("ul", { class: "notes", "aria-live": "polite" });
    this.candidates = el("ol", { class: "candidates", hidden: true, "aria-label": "Candidates" });
    this.root = el(
      "div",
      { class: "ntg" },
      el("header", {}, el("h1", { text: visible(name) }), el("p", { class: "muted", text: PRIVACY })),
      el(
        "section",
        {},
        el("label", { for: "source", class: "heading", text: this.continues ? "Beginning of the text" : "Source" }),
        this.input,
        this.notes,
      ),
      el("section", {}, el("h2", { text: "Output" }), this.output.root, this.candidates),
      this.decoding.root,
      this.explanation.root,
      factList(model.description.facts, Boolean(embedded)),
    );
  }

  /** Generates anew: the source or the options have changed. */
  restart() {
    this.generate([]);
  }

  /** @param {number[]} prefix token ids that the output begins with */
  generate(prefix) {
    this.prefix = prefix;
    const began = performance.now();
    const options = this.decoding.options();
    this.explanation.ask(null);
    this.writing.start(() => this.task(options), {
      progress: (ids) => this.output.showPartial(this.model.codec.decode(ids, this.replacements(ids))),
      done: (outputs) => {
        this.outputs = outputs;
        this.showOutput(outputs[0], performance.now() - began);
        this.showCandidates(outputs, performance.now() - began);
      },
      failed: (error) => {
        this.outputs = [];
        this.candidates.hidden = true;
        this.notes.replaceChildren();
        this.output.showMessage(error.message);
      },
    });
  }

  /**
   * @param {DecodingOptions} options
   * @returns {Generator<number[], Output[], void>}
   */
  *task(options) {
    this.source = this.model.encode(this.input.value);
    this.showNotes(this.source);
    if (!this.continues) return yield* this.model.generate(this.source, options, this.prefix);
    return [yield* this.model.continueText(this.input.value, this.decoding.lengthToWrite(), options)];
  }

  /** @param {number[]} ids */
  replacements(ids) {
    return this.source ? this.model.codec.replacements(ids, this.source, null) : new Map();
  }

  /** @param {EncodedSource} source */
  showNotes(source) {
    const notes = [];
    const unit = this.model.codec.source.kind === "char" ? "characters" : "tokens";
    if (source.tokens.length < source.length)
      notes.push(`The source has ${source.length} ${unit}; only the first ${source.tokens.length} were read.`);
    const unknown = source.tokens.filter((_, index) => source.ids[index] === UNK);
    if (unknown.length && !this.model.codec.copy) {
      const few = [...new Set(unknown)].slice(0, 10).map((token) => `“${tokenLabel(stripped(token) || token)}”`);
      notes.push(`Unknown to this model: ${few.join(", ")}${new Set(unknown).size > 10 ? ", …" : ""}`);
    }
    this.notes.replaceChildren(...notes.map((text) => el("li", { text })));
  }

  /**
   * @param {Output} output
   * @param {number} milliseconds
   */
  showOutput(output, milliseconds) {
    const pieces = this.model.pieces(output, this.source);
    const ends = output.logs.length > output.ids.length;
    this.output.show(output, pieces, { milliseconds, changed: this.prefix.length > 0, ends });
    if (!this.source) return;
    const explained = this.continues ? this.model.firstWindow(output.ids) : output.ids;
    this.explanation.ask({
      source: this.source,
      ids: ends ? [...explained, EOS] : explained,
      tokens: [...nameBytes(output.tokens.slice(0, explained.length)), ...(ends ? [END_SIGN] : [])],
      attention: output.attention,
    });
  }

  /**
   * @param {Output[]} outputs
   * @param {number} milliseconds
   */
  showCandidates(outputs, milliseconds) {
    this.candidates.hidden = outputs.length < 2;
    this.candidates.replaceChildren(
      ...outputs.map((output, number) => {
        const choose = () => {
          for (const node of this.candidates.querySelectorAll("button")) node.removeAttribute("aria-current");
          node.setAttribute("aria-current", "true");
          this.showOutput(output, milliseconds);
        };
        const node = el(
          "button",
          { type: "button", class: "alternative", "aria-current": number ? null : "true", click: choose },
          el("bdi", { class: "piece", lang: "", text: visible(output.text) }),
          el("span", { class: "number", text: `score ${signed(output.score)}` }),
        );
        return el("li", {}, node);
      }),
    );
  }

  /** @param {number | null} position */
  select(position) {
    this.explanation.select(position);
    const output = this.output.output;
    if (position === null || !output || !this.source) return;
    const { source, ids } = this.continues
      ? this.model.windowBefore(this.input.value, output.ids, position)
      : { source: this.source, ids: output.ids.slice(0, position) };
    const lists = this.model.alternatives(source, ids, ALTERNATIVES);
    this.output.showAlternatives(lists[lists.length - 1]);
  }

  /**
   * Continues with another token in the place of one.
   *
   * @param {number} position
   * @param {Alternative} alternative
   */
  replace(position, alternative) {
    const output = this.output.output;
    if (!output) return;
    const ids = [...output.ids.slice(0, position), alternative.id];
    if (!this.continues) this.generate(ids);
    else {
      this.input.value += this.model.textAfter(this.input.value, ids);
      this.restart();
    }
  }
}

const PRIVACY = "This page holds the whole model. It computes on your device and sends nothing anywhere.";

/**
 * @param {[string, string][]} facts
 * @param {boolean} folded whether they are shown on request
 */
function factList(facts, folded) {
  const entries = facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: visible(value) })]);
  const list = el("dl", {}, ...entries);
  const title = "About this model";
  return el(
    "footer",
    {},
    ...(folded ? [el("details", {}, el("summary", { text: title }), list)] : [el("h2", { text: title }), list]),
  );
}

/** Reads the model from the page, and shows it. */
function openPage() {
  const main = document.getElementById("page");
  const [description, weights] = ["model", "weights"].map((id) => document.getElementById(id)?.textContent ?? "");
  if (!main) return;
  try {
    const page = new Page(new PageModel(JSON.parse(description), weights));
    main.replaceChildren(page.root);
    page.restart();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    main.replaceChildren(el("p", { class: "error", text: `This page is damaged: ${reason}` }));
  }
}

openPage();
