// The review panel: a list of outputs, the one to decide next, and a key for everything.

/**
 * Traits of `ReviewView` in Python.
 *
 * @typedef {object} ReviewState
 * @property {ListWindow} window
 * @property {CurrentRow | Record<string, never>} current
 * @property {RowDetail | Record<string, never>} details
 * @property {{ done: number, total: number, sentence: string, file: string }} progress
 * @property {ReviewChoices} choices
 * @property {{ text: string, alert: boolean, busy?: boolean, done?: number, at: number }} status
 */

/**
 * @typedef {object} ReviewChoices
 * @property {string} selection
 * @property {{ name: string, count: number }[]} selections
 * @property {boolean} model whether there is a model
 * @property {boolean} origins whether it knows its training rows
 * @property {boolean} undoable
 */

/**
 * @typedef {| { kind: "go", position: number }
 *   | { kind: "window", start: number }
 *   | { kind: "select", selection: string }
 *   | { kind: "accept" | "skip" | "explain" | "origins", row: number }
 *   | { kind: "correct", row: number, text: string }
 *   | { kind: "undo" | "cancel" }} ReviewAction
 */

/** @typedef {WidgetModel<ReviewState, ReviewAction, never>} ReviewModel */

const FOCUS_DELAY = 50; // milliseconds; JupyterLab takes the focus after a click

class ReviewPanel {
  /**
   * @param {ReviewModel} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.list = new RowList(
      (position) => model.send({ kind: "go", position }),
      (start) => model.send({ kind: "window", start }),
    );
    this.card = new Card({
      onCandidate: (text) => this.correct(text),
      onSave: (text) => this.correct(text),
      onCancel: () => this.cancelEdit(),
    });
    this.bar = el("progress", { "aria-label": "Decided" });
    this.sentence = el("span");
    this.filter = el("select", { "aria-label": "Rows to list" });
    this.filter.addEventListener("change", () => model.send({ kind: "select", selection: this.filter.value }));
    this.help = el("div", { class: "ntr-help", hidden: true }, keyTable());
    this.status = el("div", { class: "ntg-hidden", role: "status" });
    this.error = el("div", { class: "ntg-error", role: "alert" });
    this.busy = new ProgressRow(() => model.send({ kind: "cancel" }));
    this.empty = el("p", { class: "ntr-empty" });
    this.buttons = this.actionButtons();
    this.actions = el("div", { class: "ntr-row ntr-actions", role: "toolbar", "aria-label": "Decide" });
    this.side = el("div", { class: "ntr-side" }, this.card.node, this.error, this.actions, this.busy.node, this.help);
    root.classList.add("ntg", "ntr");
    root.replaceChildren(
      el(
        "div",
        { class: "ntr-head" },
        el("h3", { class: "ntr-title", text: "Review" }),
        this.bar,
        this.sentence,
        this.filter,
      ),
      el("div", { class: "ntr-columns" }, this.list.node, this.side, this.empty),
      this.status,
    );
    root.addEventListener("keydown", this.onKey);
    this.card.node.addEventListener("click", this.onClick);
    this.draw();
    this.drawProgress();
  }

  /** @returns {CurrentRow | null} */
  get current() {
    const current = this.model.get("current");
    return "row" in current ? /** @type {CurrentRow} */ (current) : null;
  }

  /** @returns {RowDetail | null} what the model says of the current row */
  get details() {
    const details = this.model.get("details");
    return "row" in details && details.row === this.current?.row ? /** @type {RowDetail} */ (details) : null;
  }

  actionButtons() {
    /**
     * @param {string} text
     * @param {KeyAction} action
     * @param {string} key
     * @param {string} title
     */
    const make = (text, action, key, title) => {
      const node = button("", () => this.act(action), {
        title,
        "aria-keyshortcuts": key,
        class: action === "accept" ? "ntg-button ntr-main" : "ntg-button",
      });
      node.append(text, keyCap(key));
      return node;
    };
    return {
      accept: make("Accept", "accept", "Enter", "The output is right"),
      edit: make("Edit", "edit", "e", "Write the right output"),
      skip: make("Skip", "skip", "s", "Leave the row aside; it gives no pair"),
      undo: make("Undo", "undo", "u", "Take back the last decision"),
      explain: make("Explain", "explain", "x", "Show which parts of the source led to this output"),
      origins: make("Training rows", "origins", "t", "Show the training rows behind this output"),
      help: make("Keys", "help", "?", "Show or hide the keys"),
    };
  }

  // What the user does -----------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  onKey = (event) => {
    const action = keyAction(event);
    if (action === null) return;
    event.preventDefault();
    if (typeof action === "number") {
      const text = this.card.candidates[action];
      if (text !== undefined) this.correct(text);
    } else this.act(action);
  };

  /** A click on the card lets its keys work. */
  onClick = () => {
    if (this.card.editing || document.getSelection()?.toString()) return;
    setTimeout(() => this.card.editing || this.card.node.focus({ preventScroll: true }), FOCUS_DELAY);
  };

  /** @param {KeyAction} action */
  act(action) {
    const current = this.current;
    if (action === "help") {
      this.help.hidden = !this.help.hidden;
      this.buttons.help.setAttribute("aria-expanded", String(!this.help.hidden));
    } else if (action === "undo") this.model.send({ kind: "undo" });
    else if (!current) return;
    else if (action === "next" || action === "previous") {
      const position = current.position + (action === "next" ? 1 : -1);
      if (position >= 0 && position < this.model.get("window").count) this.model.send({ kind: "go", position });
    } else if (action === "edit") this.card.edit(current);
    else if (action === "explain" || action === "origins") {
      if (this.model.get("choices")[action === "explain" ? "model" : "origins"]) {
        this.model.send({ kind: action, row: current.row });
      }
    } else this.model.send({ kind: action, row: current.row });
  }

  /** @param {string} text the right output */
  correct(text) {
    if (this.current) this.model.send({ kind: "correct", row: this.current.row, text });
  }

  cancelEdit() {
    this.card.closeEditor();
    this.card.node.focus();
  }

  // What the page shows ----------------------------------------------------------------------------------------------

  /** A row was decided, or another is shown. */
  drawCurrent() {
    const focused = this.root.contains(document.activeElement);
    this.card.closeEditor();
    this.draw();
    const { body, activeElement } = document;
    if (focused && (!activeElement || activeElement === body || this.card.field === activeElement)) {
      this.card.node.focus({ preventScroll: true });
    }
  }

  draw() {
    const current = this.current;
    this.list.node.hidden = this.side.hidden = !current;
    this.empty.hidden = Boolean(current);
    if (current) this.card.draw(current, this.details);
    this.drawList();
  }

  /** The model has looked at the row; what is being edited stays. */
  drawDetails() {
    const focused = this.root.contains(document.activeElement);
    if (this.current && this.details) this.card.draw(this.current, this.details);
    if (focused && !this.root.contains(document.activeElement)) this.card.node.focus({ preventScroll: true });
  }

  drawList() {
    this.list.draw(this.model.get("window"), this.current?.position ?? -1);
  }

  drawProgress() {
    const { done, total, sentence, file } = this.model.get("progress");
    this.bar.max = Math.max(1, total);
    this.bar.value = done;
    setText(this.sentence, sentence);
    this.sentence.title = `kept in ${visible(file)}`;
    const { selection, selections, model, origins, undoable } = this.model.get("choices");
    this.filter.replaceChildren(
      ...selections.map(({ name, count }) =>
        el("option", {
          value: name,
          selected: name === selection,
          text: `${name[0].toUpperCase()}${name.slice(1)} (${count.toLocaleString("en")})`,
        }),
      ),
    );
    const { buttons } = this;
    buttons.undo.disabled = !undoable;
    const shown = [buttons.accept, buttons.edit, buttons.skip, buttons.undo];
    if (model) shown.push(buttons.explain);
    if (origins) shown.push(buttons.origins);
    shown.push(buttons.help);
    if (shown.length !== this.actions.children.length) this.actions.replaceChildren(...shown);
  }

  drawStatus() {
    const { text, alert, busy = false, done = 0 } = this.model.get("status");
    this.busy.draw({ busy, text: busy ? text : "", done });
    setText(this.error, alert ? visible(text) : "");
    setText(this.status, alert || busy ? "" : visible(text));
    this.empty.textContent = visible(text);
  }
}

/** @param {{ model: ReviewModel, el: HTMLElement }} context */
function render({ model, el: root }) {
  const releaseKeys = keepKeys(root);
  const keeper = new FocusKeeper(() => root);
  const panel = new ReviewPanel(model, root);
  panel.drawStatus();
  const release = listen(model, {
    "change:current": () => panel.drawCurrent(),
    "change:window": () => panel.drawList(),
    "change:details": () => panel.drawDetails(),
    "change:progress": () => panel.drawProgress(),
    "change:choices": () => panel.drawProgress(),
    "change:status": () => panel.drawStatus(),
  });
  return () => {
    releaseKeys();
    keeper.end();
    release();
    root.removeEventListener("keydown", panel.onKey);
  };
}

export default { render };
