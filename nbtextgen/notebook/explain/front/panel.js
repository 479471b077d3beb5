// The panel itself: what is shown, and what is asked of the kernel.

/** One explanation as text: input and output as chips, each lighting up what it has to do with. */
function textView(answer, { edit = null } = {}) {
  const parts = answer.method === "context";
  let chosen = null; // an output token that stays lit
  const say = el("p", { class: "nte-say", "aria-live": "polite" });
  const columns = (at) => answer.values.map((row) => row[at]);
  const name = (token) => `“${shown(token.text)}”`;
  const list = (values, tokens) => strongest(values, 5).map((at) => `${name(tokens[at])} ${signed(values[at])}`).join(" · ") || "nothing";

  const showTotal = () => {
    for (const chip of output.chips) chip.classList.remove("nte-chosen");
    if (parts) shade(output, answer.values.map((row) => row[0]), { names: "from the source" });
    else {
      shade(input, answer.total, { names: "to the whole output" });
      shade(output, null);
    }
    say.textContent = parts
      ? "Each output token by what the source adds to it; hover one for what was already written."
      : "The whole output; hover or focus a token on either side for its own share.";
  };
  const showOutput = (at) => {
    for (const [number, chip] of output.chips.entries()) chip.classList.toggle("nte-chosen", number === at);
    if (parts) {
      say.textContent = `${name(answer.outputs[at])}: the source ${signed(answer.values[at][0])}, what was written ${signed(answer.values[at][1])} nats`;
      return;
    }
    shade(input, answer.values[at], { names: `to ${shown(answer.outputs[at].text)}` });
    shade(output, null);
    const error = answer.errors ? `, standard error ${largest(answer.errors[at]).toFixed(3)} at most` : "";
    say.textContent = `Output ${name(answer.outputs[at])} owes: ${list(answer.values[at], answer.inputs)} (${answer.measure}${error}); log p ${signed(answer.logs[at])}`;
  };
  const showInput = (at) => {
    if (parts) return;
    for (const chip of output.chips) chip.classList.remove("nte-chosen");
    shade(input, null);
    shade(output, columns(at), { names: `from ${shown(answer.inputs[at].text)}` });
    say.textContent = `Input ${name(answer.inputs[at])} gives: ${list(columns(at), answer.outputs)} (${answer.measure})`;
  };
  const rest = () => (chosen === null ? showTotal() : showOutput(chosen));

  const input = parts
    ? { node: el("bdi", { class: "nte-text", text: visible(answer.source) }), chips: [] }
    : chipRow("Input", answer.source, answer.inputs, {
        active: (at) => (at === null ? rest() : showInput(at)),
        pressed: (at, chip) => edit?.(at, chip),
      });
  const output = chipRow("Output", answer.text, answer.outputs, {
    active: (at) => (at === null ? rest() : showOutput(at)),
    pressed: (at) => {
      chosen = chosen === at ? null : at;
      for (const [number, chip] of output.chips.entries()) chip.setAttribute("aria-pressed", String(number === chosen));
      rest();
    },
  });
  const node = el(
    "div",
    { class: "nte-view" },
    el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "in" }), input.node),
    el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "out" }), output.node),
    answer.contrast === null ? null : el("div", { class: "nte-line" }, el("span", { class: "nte-tag", text: "not" }), el("bdi", { class: "nte-text", text: visible(answer.contrast) })),
    say
  );
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    chosen = null;
    for (const chip of output.chips) chip.setAttribute("aria-pressed", "false");
    showTotal();
  });
  showTotal();
  return { node, input, output, showOutput, showInput, rest };
}

/** A small switch: one of several, as radio buttons that look like buttons. */
function choice(title, options, current, picked) {
  const node = el("div", { class: "nte-choice", role: "radiogroup", "aria-label": title });
  for (const { id, name, mark = "", faint = false, disabled = false } of options) {
    const on = id === current;
    node.append(
      el("button", { type: "button", role: "radio", "aria-checked": String(on), tabindex: on ? "0" : "-1", disabled, class: `nte-option${faint ? " nte-faint" : ""}`, title: faint ? "computed when chosen" : null, click: () => picked(id) }, name, mark ? el("span", { class: "nte-mark", text: mark }) : null)
    );
  }
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const open = options.filter((one) => !one.disabled);
    const from = open.findIndex((one) => one.id === current);
    picked(open[(from + step + open.length) % open.length].id, true);
  });
  return node;
}

/** The answer by one head of attention alone, counted from 1; by all of them for 0, or where there is only one. */
function oneHead(answer, head) {
  const values = answer?.heads?.[head - 1];
  if (!values) return answer;
  const total = answer.inputs.map((_, at) => values.reduce((sum, row) => sum + row[at], 0) / values.length);
  return { ...answer, name: `${answer.name}, head ${head}`, algorithm: `head ${head} of ${answer.heads.length}`, notes: [], values, total };
}

class Panel {
  constructor(model, root) {
    Object.assign(this, { model, root, mode: "text", head: 0, zoom: {}, pins: [], edits: {}, menu: null });
    this.alone = Boolean(model.standalone);
    this.bar = el("div", { class: "nte-bar" });
    this.progress = el("div", { class: "nte-progress", role: "status" });
    this.body = el("div", { class: "nte-body" });
    this.changed = el("div");
    this.notes = el("div", { class: "nte-notes" });
    this.pinned = el("div", { class: "nte-pins" });
    root.classList.add("ntg", "nte");
    root.append(this.bar, this.body, this.changed, this.notes, this.pinned);
    // Keys that mean something here mean nothing to the notebook around it.
    root.addEventListener("keydown", (event) => {
      if (event.target.closest("input, button, [tabindex]") && !event.ctrlKey && !event.metaKey && event.key !== "Tab") event.stopPropagation();
    });
    this.draw();
  }

  get view() {
    return this.model.get("view");
  }

  key(view = this.view) {
    return `${view.unit}|${view.contrast}|${view.method}`;
  }

  get answer() {
    return oneHead(this.model.get("answers")[this.key()], this.head);
  }

  /** Show something else, asking the kernel only for what is not known. */
  go(changes, focus = null) {
    const view = { ...this.view, ...changes };
    if ("unit" in changes || "contrast" in changes) this.reset(false);
    this.model.set("view", view);
    this.model.save_changes();
    // Not final: still on its way, or cancelled; the kernel knows which.
    if (!this.model.get("answers")[this.key(view)]?.final) this.model.send({ kind: "ask", ...view });
    this.draw();
    if (focus) this.bar.querySelector(`[aria-label="${focus}"] [aria-checked="true"]`)?.focus();
  }

  draw() {
    const focused = this.focusPath();
    this.drawBar();
    this.drawBody();
    this.drawStatus();
    this.drawChange();
    this.refocus(focused);
  }

  /** Which chip had the focus, so that a refined answer does not take it away. */
  focusPath() {
    const rows = [...this.body.querySelectorAll(".nte-row")];
    const chip = document.activeElement?.closest?.(".nte-chip");
    const row = rows.findIndex((one) => chip && one.contains(chip));
    return row < 0 ? null : [row, [...rows[row].querySelectorAll(".nte-chip")].indexOf(chip)];
  }

  refocus(path) {
    if (!path) return;
    this.body.querySelectorAll(".nte-row")[path[0]]?.querySelectorAll(".nte-chip")[path[1]]?.focus();
  }

  drawBar() {
    const { methods, units } = this.model.get("choices");
    const answers = this.model.get("answers");
    const view = this.view;
    const known = (changes) => answers[this.key({ ...view, ...changes })];
    const mark = (id) => (known({ method: id }) ? (known({ method: id }).final ? "" : "…") : "");
    const method = choice(
      "Method",
      methods.map(({ id, name }) => ({ id, name, mark: mark(id), faint: !known({ method: id }), disabled: this.alone && !known({ method: id }) })),
      view.method,
      (id, moved) => this.go({ method: id }, moved ? "Method" : null)
    );
    const unit = el("select", { class: "nte-input", "aria-label": "Unit" });
    for (const id of units) {
      if (this.alone && !Object.keys(answers).some((key) => key.startsWith(`${id}|`))) continue;
      unit.append(el("option", { value: id, text: { char: "characters", token: "tokens", word: "words", spans: "my spans" }[id] ?? id }));
    }
    unit.value = view.unit;
    unit.addEventListener("change", () => this.go({ unit: unit.value }));
    this.bar.replaceChildren(method, this.heads(), el("label", { class: "nte-label" }, "by ", unit), this.contrastForm(), this.modes(), this.actions(), this.progress);
  }

  /** Which head of attention, where there are several. */
  heads() {
    const { heads } = this.answer ?? {};
    if (!heads) return "";
    const select = el("select", { class: "nte-input", "aria-label": "Head" }, el("option", { value: "0", text: `mean of ${heads.length} heads` }));
    for (const number of heads.keys()) select.append(el("option", { value: String(number + 1), text: `head ${number + 1}` }));
    select.value = String(this.head);
    select.addEventListener("change", () => {
      this.head = Number(select.value);
      this.draw();
      this.bar.querySelector('[aria-label="Head"]').focus();
    });
    return select;
  }

  contrastForm() {
    if (this.alone) return "";
    const input = el("input", { type: "text", class: "nte-input", "aria-label": "Why this and not", placeholder: "why not …", value: this.view.contrast || null });
    const form = el("form", { class: "nte-contrast" }, input);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go({ contrast: input.value.trim() });
    });
    input.addEventListener("change", () => input.value.trim() === "" && this.view.contrast && this.go({ contrast: "" }));
    return form;
  }

  modes() {
    const options = [{ id: "text", name: "Text" }, { id: "matrix", name: "Matrix" }];
    return choice("View", options, this.mode, (id, moved) => {
      this.mode = id;
      this.draw();
      if (moved) this.bar.querySelector('[aria-label="View"] [aria-checked="true"]')?.focus();
    });
  }

  actions() {
    const button = (text, title, click) => el("button", { type: "button", class: "ntg-button", text, title, disabled: !this.answer, click });
    return el(
      "div",
      { class: "nte-actions" },
      button("Pin", "keep this explanation below, beside another one", () => this.pin()),
      button("PNG", "save what is shown as a picture", () => keepChart(picture(this), "explanation.png")),
      button("SVG", "save what is shown as a drawing", () => keepChart(picture(this), "explanation.svg")),
      this.alone ? null : button("HTML", "save as a page that needs no kernel", () => this.model.send({ kind: "page" }))
    );
  }

  drawBody() {
    const answer = this.answer;
    this.notes.replaceChildren();
    if (!answer) {
      this.body.replaceChildren(el("p", { class: "ntg-muted", text: "Not known yet." }));
      return;
    }
    const editable = !this.alone && answer.unit === this.view.unit && answer.method !== "context";
    this.text = textView(answer, { edit: editable ? (at, chip) => this.edit(at, chip) : null });
    for (const [at, chip] of this.text.input.chips.entries()) chip.classList.toggle("nte-edited", at in this.edits);
    if (this.mode === "matrix") {
      const matrix = matrixView(answer, this.zoom, (row, column) => {
        if (row === null) return this.text.rest();
        this.text.showOutput(row);
        this.text.node.querySelector(".nte-say").textContent = `“${shown(answer.outputs[row].text)}” from “${shown(answer.inputs[column].text)}”: ${signed(answer.values[row][column], 3)} ${answer.measure}`;
      });
      this.body.replaceChildren(this.text.node, matrix);
    } else this.body.replaceChildren(this.text.node);
    const sentence = this.model.get("sentences")[`${this.view.unit}|${this.view.contrast}`];
    this.notes.replaceChildren(
      ...(sentence ? [el("p", { class: "nte-verdict", text: sentence })] : []),
      el("p", { class: "ntg-muted", text: [`${answer.name}: ${answer.algorithm}.`, ...answer.notes].join(" ") })
    );
  }

  drawStatus() {
    const { busy = false, text = "", done = 0, error = "" } = this.alone ? {} : this.model.get("status");
    this.progress.replaceChildren();
    if (error) this.progress.append(el("span", { class: "ntg-error", text: visible(error) }));
    else if (busy) {
      const bar = el("progress", { max: "1", "aria-label": text });
      if (done > 0) bar.value = done;
      this.progress.append(bar, el("span", { class: "ntg-muted", text }), el("button", { type: "button", class: "ntg-button", text: "Cancel", click: () => this.model.send({ kind: "cancel" }) }));
    } else if (text) this.progress.append(el("span", { class: "ntg-muted", text }));
  }

  // Changing the input ---------------------------------------------------------------------------------------------

  edit(at, chip) {
    this.menu?.remove();
    const word = shown(this.answer.inputs[at].text);
    this.menu = editMenu(
      chip,
      word,
      at in this.edits,
      (edit) => {
        if (edit) this.edits[at] = edit;
        else delete this.edits[at];
        chip.classList.toggle("nte-edited", at in this.edits);
        if (Object.keys(this.edits).length) this.model.send({ kind: "edit", ...this.view, edits: this.edits });
        else this.reset(true);
      },
      () => (this.menu = null)
    );
    this.body.append(this.menu);
    const box = chip.getBoundingClientRect();
    const place = this.body.getBoundingClientRect();
    this.menu.style.top = `${box.bottom - place.top + 4}px`;
    this.menu.style.left = `${Math.max(0, Math.min(box.left - place.left, place.width - this.menu.offsetWidth))}px`;
    setTimeout(() => this.menu?.querySelector("button, input").focus(), 50); // after JupyterLab has taken the focus
  }

  reset(redraw) {
    this.edits = {};
    this.changed.replaceChildren();
    if (redraw) this.drawBody();
  }

  drawChange() {
    const change = this.alone ? {} : this.model.get("change");
    if (!Object.keys(this.edits).length || change.group !== `${this.view.unit}|${this.view.contrast}`) return;
    const view = changeView(change, () => this.reset(true));
    this.changed.replaceChildren(...(view ? [view] : []));
  }

  // Keeping ---------------------------------------------------------------------------------------------------------

  /** Two at most: the older one gives way. */
  pin() {
    this.pins = [...this.pins, this.answer].slice(-2);
    this.drawPins();
  }

  drawPins() {
    this.pinned.replaceChildren(
      ...this.pins.map((answer, at) =>
        el(
          "section",
          { class: "nte-card", "aria-label": `Pinned: ${answer.name}` },
          el("div", { class: "nte-line" }, el("strong", { text: answer.name }), el("span", { class: "ntg-muted", text: `by ${answer.unit}` }), el("button", { type: "button", class: "ntg-button", text: "Unpin", click: () => { this.pins.splice(at, 1); this.drawPins(); } })),
          textView(answer).node
        )
      )
    );
  }
}

function render({ model, el: root }) {
  const panel = new Panel(model, root);
  const draw = () => panel.draw();
  const status = () => panel.drawStatus();
  const change = () => panel.drawChange();
  const page = (message) => {
    if (message.kind === "page") keepFile(new Blob([message.html], { type: "text/html" }), "explanation.html");
  };
  const heard = [["change:answers", draw], ["change:view", draw], ["change:sentences", draw], ["change:status", status], ["change:change", change], ["msg:custom", page]];
  for (const [name, listener] of heard) model.on(name, listener);
  return () => {
    for (const [name, listener] of heard) model.off(name, listener);
  };
}

/** The panel without a kernel, in a saved page. */
function alone(root, data, widget) {
  const model = { standalone: true, get: (name) => data[name] ?? {}, set: (name, value) => (data[name] = value), save_changes() {}, send() {}, on() {}, off() {} };
  return widget.render({ model, el: root });
}

export default { render };
