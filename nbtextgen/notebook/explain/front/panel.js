// The explanation panel: what it shows, and what it asks of the kernel.

/** @typedef {{ unit: string, contrast: string, method: string }} Question */

/**
 * Traits of `ExplanationPanel` in Python. Answers are named `unit|contrast|method`, sentences `unit|contrast`.
 *
 * @typedef {object} PanelState
 * @property {Record<string, Answer | undefined>} answers
 * @property {Question} view the question whose answer is shown
 * @property {{ methods: { id: string, name: string }[], units: string[], model?: string }} choices `model`: its fingerprint
 * @property {{ busy?: boolean, text?: string, done?: number, error?: string }} status
 * @property {Record<string, string | undefined>} sentences how far the methods agree
 * @property {Change} change
 * @property {MinimalEdits} minimal
 * @property {FoundRows} rows training rows behind the output
 * @property {number[]} marks numbers of the rows that the reader has marked
 * @property {string} [name] an identifier of the widget
 */

/**
 * @typedef {| (Question & { kind: "ask" })
 *   | (Question & { kind: "edit", edits: Edits })
 *   | (Question & { kind: "interactions" })
 *   | (Question & { kind: "find", token: number | null })
 *   | { kind: "rows", token: number | null }
 *   | { kind: "cancel" }
 *   | { kind: "close" }
 *   | { kind: "page" }} PanelRequest
 */

/** @typedef {{ kind: string, html: string }} PageMessage the panel as a page of its own */

/** @typedef {WidgetModel<PanelState, PanelRequest, PageMessage>} PanelModel */

/**
 * The last panel of each widget. A page may draw an output anew, or in a second view; what the reader had chosen stays.
 *
 * @type {Map<string, Panel>}
 */
const lastPanels = new Map();

const FOCUS_DELAY = 50; // milliseconds; JupyterLab takes the focus after a click

class Panel {
  /**
   * @param {PanelModel} model
   * @param {HTMLElement} root
   * @param {boolean} saved whether there is no kernel behind the page
   */
  constructor(model, root, saved) {
    this.model = model;
    this.root = root;
    this.saved = saved;
    this.mode = "text";
    this.head = 0;
    /** @type {Zoom} */
    this.zoom = {};
    /** @type {Edits} */
    this.edits = {};
    /** @type {HTMLElement | null} */
    this.menu = null;
    /** @type {number | null} */
    this.selected = null; // the output token that stays selected
    this.arcs = false; // whether interactions are shown
    this.top = el("div", { class: "nte-head" });
    this.bar = el("div", { class: "nte-bar" });
    this.progress = new ProgressRow(() => this.model.send({ kind: "cancel" }));
    this.error = el("span", { class: "ntg-error", role: "alert" });
    this.body = el("div", { class: "nte-body" });
    this.change = el("div");
    this.minimal = el("div");
    this.rows = el("div");
    /** @type {number | undefined} */
    this.closedRows = undefined; // when the rows that the reader has closed were found
    this.notes = el("div", { class: "nte-notes" });
    this.pins = new Pins();
    root.classList.add("ntg", "nte");
    root.dataset.panel = model.get("name") ?? "";
    root.append(this.top, this.bar, this.body, this.change, this.minimal, this.rows, this.notes, this.pins.node);
    const name = model.get("name");
    const last = name ? lastPanels.get(name) : null;
    if (last) this.restore(last);
    if (name) lastPanels.set(name, this);
    this.draw();
  }

  /** @param {Panel} last what the reader had chosen */
  restore({ mode, head, zoom, edits, selected, arcs, pins }) {
    Object.assign(this, { mode, head, zoom, edits, selected, arcs });
    this.pins.answers = pins.answers;
    this.pins.draw();
  }

  get view() {
    return this.model.get("view");
  }

  /** The name of the current question without its method. */
  get group() {
    return `${this.view.unit}|${this.view.contrast}`;
  }

  get answer() {
    return headAnswer(this.model.get("answers")[this.key(this.view)], this.head);
  }

  /** @param {Question} question */
  key({ unit, contrast, method }) {
    return `${unit}|${contrast}|${method}`;
  }

  /**
   * Shows another answer; the kernel is asked unless the final answer is known.
   *
   * @param {Partial<Question>} changes
   */
  go(changes) {
    const view = { ...this.view, ...changes };
    if (changes.unit !== undefined || changes.contrast !== undefined) this.reset(false);
    this.model.set("view", view);
    this.model.save_changes();
    // An answer that is not final may be in the making, or cancelled; the kernel knows which.
    if (!this.model.get("answers")[this.key(view)]?.final) this.model.send({ kind: "ask", ...view });
    this.draw();
  }

  draw() {
    const focused = focusedChip(this.body);
    this.drawTop();
    if (!this.bar.childElementCount) this.bar.append(this.progress.node, this.error);
    while (this.bar.firstChild && this.bar.firstChild !== this.progress.node) this.bar.firstChild.remove();
    this.progress.node.before(...toolbar(this));
    this.drawBody();
    this.drawStatus();
    this.drawChange();
    this.drawMinimal();
    this.drawRows();
    if (focused) rowChips(this.body)[focused.row]?.[focused.chip]?.focus();
  }

  /** What is explained, and a button that closes it. The title is no heading: the page's own headings are not known. */
  drawTop() {
    const text = this.answer?.text ?? Object.values(this.model.get("answers"))[0]?.text ?? "";
    const title = el("div", { class: "nte-title" }, "Explanation of ", el("bdi", { text: `“${visible(text)}”` }));
    this.top.replaceChildren(title, ...(this.saved ? [] : [closeButton("Close the explanation", () => this.close())]));
  }

  /** Closes the panel; whoever opened it removes it, otherwise the kernel does. */
  close() {
    const event = new window.CustomEvent("ntg-close", { bubbles: true, cancelable: true });
    if (this.root.dispatchEvent(event)) this.model.send({ kind: "close" });
  }

  /** Shows interactions, or hides them; the kernel is asked for unknown ones. */
  toggleArcs() {
    this.arcs = !this.arcs;
    const shap = { ...this.view, method: "shap" };
    if (this.arcs && this.view.method !== "shap") this.go({ method: "shap" });
    if (this.arcs && !this.model.get("answers")[this.key(shap)]?.pairs) {
      this.model.send({ kind: "interactions", ...shap });
    }
    this.mode = this.arcs ? "text" : this.mode;
    this.draw();
  }

  /** Asks for the smallest changes, of the selected token or of the whole output. */
  find() {
    this.model.send({ kind: "find", ...this.view, token: this.selected });
  }

  drawMinimal() {
    const minimal = this.model.get("minimal") ?? {};
    const view = minimal.group === this.group ? minimalView(minimal, () => this.minimal.replaceChildren()) : null;
    this.minimal.replaceChildren(...(view ? [view] : []));
  }

  /** Asks for the training rows behind the selected token, or the whole output. */
  findRows() {
    this.model.send({ kind: "rows", token: this.selected });
  }

  drawRows() {
    const rows = this.model.get("rows") ?? {};
    if (rows.at !== undefined && rows.at === this.closedRows) return;
    const view = rowsView(rows, new Set(this.model.get("marks") ?? []), {
      onMark: this.saved ? null : (row) => this.mark(row),
      onClose: () => {
        this.closedRows = rows.at;
        this.rows.replaceChildren();
      },
    });
    this.rows.replaceChildren(...(view ? [view] : []));
  }

  /**
   * Marks a training row, or unmarks it; other widgets on the page may listen for the event.
   *
   * @param {TrainingRow} row
   */
  mark(row) {
    const marks = this.model.get("marks") ?? [];
    const marked = !marks.includes(row.row);
    this.model.set("marks", marked ? [...marks, row.row] : marks.filter((number) => number !== row.row));
    this.model.save_changes();
    this.root.dispatchEvent(new window.CustomEvent("ntg-row", { bubbles: true, detail: { ...row, marked } }));
    this.drawRows();
    /** @type {HTMLElement | null} */ (this.rows.querySelector(`[data-row="${row.row}"]`))?.focus();
  }

  drawBody() {
    const answer = this.answer;
    this.notes.replaceChildren();
    if (!answer) {
      this.body.replaceChildren(el("p", { class: "ntg-muted", text: "Not computed yet." }));
      return;
    }
    const editable = !this.saved && answer.unit === this.view.unit && answer.method !== "context";
    const text = new TextView(answer, {
      onEdit: editable ? (index, chip) => this.edit(answer, index, chip) : null,
      selected: this.selected,
      onSelect: (index) => {
        this.selected = index;
      },
      arcs: this.arcs,
    });
    for (const [index, chip] of text.input.chips.entries()) chip.classList.toggle("nte-edited", index in this.edits);
    this.body.replaceChildren(text.node);
    if (this.mode === "matrix") {
      this.body.append(
        matrixView(answer, this.zoom, (cell) => (cell ? text.showCell(cell.row, cell.column) : text.rest())),
      );
    }
    const agreement = this.model.get("sentences")[this.group];
    if (agreement) this.notes.append(el("p", { class: "nte-verdict", text: agreement }));
    const about = [`${answer.name}: ${answer.algorithm}.`, ...answer.notes].join(" ");
    this.notes.append(el("p", { class: "ntg-muted", text: about }));
  }

  drawStatus() {
    const { busy = false, text = "", done = 0, error = "" } = this.saved ? {} : this.model.get("status");
    setText(this.error, visible(error));
    this.progress.draw({ busy: busy && !error, text: error ? "" : text, done });
  }

  // Editing the input ---------------------------------------------------------------------------------------------

  /**
   * Opens the menu of edits at a chip.
   *
   * @param {Answer} answer
   * @param {number} index of the input unit
   * @param {HTMLElement} chip
   */
  edit(answer, index, chip) {
    this.menu?.remove();
    /** @param {Edit | null} edit */
    const onEdit = (edit) => {
      if (edit) this.edits[index] = edit;
      else delete this.edits[index];
      chip.classList.toggle("nte-edited", index in this.edits);
      if (Object.keys(this.edits).length) this.model.send({ kind: "edit", ...this.view, edits: this.edits });
      else this.reset(true);
    };
    const onClose = () => {
      if (this.menu === menu) this.menu = null;
    };
    const menu = editMenu(chip, tokenName(answer.inputs[index].text), index in this.edits, onEdit, onClose);
    this.menu = menu;
    this.body.append(menu);
    floatMenu(menu, chip);
    setTimeout(() => menu.querySelector("button")?.focus(), FOCUS_DELAY);
  }

  /** @param {boolean} redraw */
  reset(redraw) {
    this.edits = {};
    this.change.replaceChildren();
    if (redraw) this.drawBody();
  }

  drawChange() {
    const change = this.saved ? {} : this.model.get("change");
    if (!Object.keys(this.edits).length || change.group !== this.group) return;
    const view = changeView(change, () => this.reset(true));
    this.change.replaceChildren(...(view ? [view] : []));
  }
}

/** Explanations that stay to be compared; two at most, the older one gives way. */
class Pins {
  constructor() {
    /** @type {Answer[]} */
    this.answers = [];
    this.node = el("div", { class: "nte-pins" });
  }

  /** @param {Answer | undefined} answer */
  add(answer) {
    if (answer) this.answers = [...this.answers, answer].slice(-2);
    this.draw();
  }

  draw() {
    this.node.replaceChildren(...this.answers.map((answer) => this.card(answer)));
  }

  /** @param {Answer} answer */
  card(answer) {
    const unpin = () => {
      this.answers = this.answers.filter((pinned) => pinned !== answer);
      this.draw();
    };
    const unit = el("span", { class: "ntg-muted", text: `by ${answer.unit}` });
    return el(
      "section",
      { class: "nte-card", "aria-label": `Pinned: ${answer.name}` },
      el("div", { class: "nte-line" }, el("strong", { text: answer.name }), unit, button("Unpin", unpin)),
      new TextView(answer).node,
    );
  }
}

/**
 * The chips of each row.
 *
 * @param {HTMLElement} body
 */
function rowChips(body) {
  const rows = [...body.querySelectorAll(".nte-row")];
  return rows.map((row) => [.../** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll(".nte-chip"))]);
}

/**
 * The chip with the focus, which a refined answer must not take away.
 *
 * @param {HTMLElement} body
 */
function focusedChip(body) {
  const chips = rowChips(body).map((row) => row.findIndex((chip) => chip === document.activeElement));
  const row = chips.findIndex((chip) => chip >= 0);
  return row < 0 ? null : { row, chip: chips[row] };
}

/** @param {{ model: PanelModel, el: HTMLElement }} context */
function render({ model, el: root }) {
  const releaseKeys = keepKeys(root);
  const keeper = new FocusKeeper(() => root);
  const panel = new Panel(model, root, false);
  const draw = () => panel.draw();
  const onGone = () => {
    delete root.dataset.panel; // which hides the static form
    root.replaceChildren(goneNote());
  };
  const release = listen(model, {
    comm_live_update: onGone,
    "change:answers": draw,
    "change:view": draw,
    "change:sentences": draw,
    "change:status": () => panel.drawStatus(),
    "change:change": () => panel.drawChange(),
    "change:minimal": () => panel.drawMinimal(),
    "change:rows": () => panel.drawRows(),
    "msg:custom": (message) => {
      if (message.kind === "page") saveFile(new Blob([message.html], { type: "text/html" }), "explanation.html");
    },
  });
  return () => {
    releaseKeys();
    keeper.end();
    release();
  };
}

/**
 * Shows the panel in a saved page, without a kernel.
 *
 * @param {HTMLElement} root
 * @param {PanelState} state what the page holds
 */
function renderSaved(root, state) {
  /** @type {PanelModel} */
  const model = {
    get: (name) => state[name],
    set: (name, value) => {
      state[name] = value;
    },
    save_changes: () => {},
    send: () => {},
    on: () => {},
    off: () => {},
  };
  return new Panel(model, root, true);
}

export default { render, renderSaved };
