// The bar above an explanation: method, attention head, unit, contrast, view, and what can be saved.

/** @typedef {{ id: string, name: string, mark?: string, faint?: boolean, disabled?: boolean }} RadioOption */

const RUNNER_UP = "runner-up"; // the contrast that stands for the model's second choice

/** @type {Record<string, string>} */
const UNITS = { char: "characters", token: "tokens", word: "words", phrase: "phrases", spans: "my spans" };

/**
 * Radio buttons that look like one switch.
 *
 * @param {string} label
 * @param {RadioOption[]} options
 * @param {string} current
 * @param {(id: string, byKey: boolean) => void} onPick
 */
function radioGroup(label, options, current, onPick) {
  const buttons = options.map(({ id, name, mark, faint, disabled }) => {
    const checked = id === current;
    const attributes = {
      type: "button",
      role: "radio",
      "aria-checked": String(checked),
      tabindex: checked ? "0" : "-1",
      disabled,
      class: "nte-option",
      title: faint ? "computed when selected" : null,
      click: () => onPick(id, false),
    };
    return el("button", attributes, name, mark ? el("span", { class: "nte-mark", text: mark }) : null);
  });
  const group = el("div", { class: "nte-choice", role: "radiogroup", "aria-label": label }, ...buttons);
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const enabled = options.filter(({ disabled }) => !disabled);
    const index = enabled.findIndex(({ id }) => id === current);
    onPick(enabled[(index + step + enabled.length) % enabled.length].id, true);
  });
  return group;
}

/**
 * The parts of the bar, as they are now.
 *
 * @param {Panel} panel
 */
function toolbar(panel) {
  const parts = [methodChoice(panel), headSelect(panel), unitSelect(panel), contrastForm(panel)];
  const shown = [...parts, modeChoice(panel), questionButtons(panel), actionButtons(panel)];
  return shown.filter((part) => part !== null);
}

/** @param {Panel} panel */
function methodChoice(panel) {
  const options = panel.model.get("choices").methods.map(({ id, name }) => {
    const answer = panel.model.get("answers")[panel.key({ ...panel.view, method: id })];
    return { id, name, mark: answer && !answer.final ? "…" : "", faint: !answer, disabled: panel.saved && !answer };
  });
  return radioGroup("Method", options, panel.view.method, (method, byKey) => {
    panel.go({ method });
    if (byKey) focusChecked(panel.bar, "Method");
  });
}

/** @param {Panel} panel */
function headSelect(panel) {
  const heads = panel.answer?.heads;
  if (!heads) return null;
  const names = [`mean of ${heads.length} heads`, ...heads.map((_, index) => `head ${index + 1}`)];
  const options = names.map((text, index) => el("option", { value: index, text }));
  const select = el("select", { class: "nte-input", "aria-label": "Head" }, ...options);
  select.value = String(panel.head);
  select.addEventListener("change", () => {
    panel.head = Number(select.value);
    panel.draw();
    /** @type {HTMLElement | null} */ (panel.bar.querySelector('[aria-label="Head"]'))?.focus();
  });
  return select;
}

/** @param {Panel} panel */
function unitSelect(panel) {
  const answered = Object.keys(panel.model.get("answers"));
  const units = panel.model.get("choices").units;
  const offered = panel.saved ? units.filter((unit) => answered.some((key) => key.startsWith(`${unit}|`))) : units;
  const options = offered.map((unit) => el("option", { value: unit, text: UNITS[unit] ?? unit }));
  const select = el("select", { class: "nte-input", "aria-label": "Unit" }, ...options);
  select.value = panel.view.unit;
  select.addEventListener("change", () => panel.go({ unit: select.value }));
  return el("label", { class: "nte-label" }, "by ", select);
}

/** @param {Panel} panel */
function contrastForm(panel) {
  if (panel.saved) return null;
  const contrast = panel.view.contrast;
  const attributes = { type: "text", class: "nte-input", "aria-label": "Why this and not", placeholder: "why not …" };
  const input = el("input", { ...attributes, value: contrast === RUNNER_UP ? null : contrast || null });
  const runnerUp = button("runner-up", () => panel.go({ contrast: contrast === RUNNER_UP ? "" : RUNNER_UP }), {
    title: "why this output and not the model's second choice",
    "aria-pressed": String(contrast === RUNNER_UP),
  });
  const form = el("form", { class: "nte-contrast" }, input, runnerUp);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    panel.go({ contrast: input.value.trim() });
  });
  input.addEventListener("change", () => {
    if (input.value.trim() === "" && contrast && contrast !== RUNNER_UP) panel.go({ contrast: "" });
  });
  return form;
}

/** @param {Panel} panel */
function modeChoice(panel) {
  const options = [
    { id: "text", name: "Text" },
    { id: "matrix", name: "Matrix" },
  ];
  return radioGroup("View", options, panel.mode, (mode, byKey) => {
    panel.mode = mode;
    panel.draw();
    if (byKey) focusChecked(panel.bar, "View");
  });
}

/**
 * Interactions, and the search for the smallest change.
 *
 * @param {Panel} panel
 */
function questionButtons(panel) {
  const known = panel.model.get("answers")[panel.key({ ...panel.view, method: "shap" })]?.pairs;
  if (panel.saved && !known) return null;
  const arcs = button("Interactions", () => panel.toggleArcs(), {
    title: "what pairs of input units do together, beyond what each does alone (Shapley interactions)",
    "aria-pressed": String(panel.arcs),
  });
  if (panel.saved) return el("div", { class: "nte-actions" }, arcs);
  const find = button("Smallest change", () => panel.find(), {
    title: "search for the fewest changes of the input that change the output, or the selected token",
  });
  const rows = button("Training rows", () => panel.findRows(), {
    title: "find the training rows that speak for the output, or the selected token, and those that speak against it",
  });
  return el("div", { class: "nte-actions" }, arcs, find, rows);
}

/** @param {Panel} panel */
function actionButtons(panel) {
  const disabled = !panel.answer;
  /** @param {string} text @param {string} title @param {() => void} onClick */
  const action = (text, title, onClick) => button(text, onClick, { title, disabled });
  /** @param {string} file */
  const save = (file) => panel.answer && saveChart(panelPicture(panel, panel.answer), file);
  return el(
    "div",
    { class: "nte-actions" },
    action("Pin", "keep this explanation below, to compare it with another one", () => panel.pins.add(panel.answer)),
    action("PNG", "save the panel as a PNG image", () => save("explanation.png")),
    action("SVG", "save the panel as an SVG image", () => save("explanation.svg")),
    panel.saved
      ? null
      : action("HTML", "save as a page that needs no kernel", () => panel.model.send({ kind: "page" })),
  );
}

/**
 * @param {HTMLElement} bar
 * @param {string} group
 */
function focusChecked(bar, group) {
  const checked = `[aria-label="${group}"] [aria-checked="true"]`;
  /** @type {HTMLElement | null} */ (bar.querySelector(checked))?.focus();
}
