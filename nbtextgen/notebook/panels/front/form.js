// A form of settings in sections; an open setting has a check box "auto", "none" or "random".

/** @typedef {{ title: string, closed?: boolean, fields: Field[] }} Section */

/**
 * Traits of `Form` in Python.
 *
 * @typedef {object} FormState
 * @property {Section[]} sections
 * @property {Record<string, SettingValue>} values
 * @property {Record<string, SettingValue>} autos what an open setting would be
 * @property {Record<string, string>} errors
 * @property {Record<string, string[]>} suggestions
 * @property {boolean} disabled
 */

/** @typedef {WidgetModel<FormState, never, never>} FormModel */

/**
 * The elements of one setting; `show` brings them up to date.
 *
 * @param {Field} field
 * @param {string} id
 * @param {(name: string, value: SettingValue) => void} onChange
 */
function formRow(field, id, onChange) {
  const row = el("div", { class: "ntg-row" });
  const label = el("label", { for: id, text: field.label });
  const help = el("span", { id: `${id}-help`, class: "ntg-hidden", text: field.help });
  const error = el("span", { id: `${id}-error`, class: "ntg-error", role: "alert" });
  const control = CONTROLS[field.kind](field, id, row, (value) => onChange(field.name, value));
  control.main.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  let last = field.default; // what the setting becomes when it is no longer open
  const word = field.open ?? "auto";
  const name = `${field.label}: ${word === "auto" ? "automatic" : word}`;
  const auto = field.auto ? el("input", { type: "checkbox", "aria-label": name }) : null;
  auto?.addEventListener("change", () => onChange(field.name, auto.checked ? null : (last ?? firstValue(field))));
  const node = el(
    "div",
    { class: `ntg-field ntg-${field.kind}${field.wide ? " ntg-area" : ""}`, title: field.help },
    label,
    auto && el("label", { class: "ntg-auto" }, auto, el("span", { text: word })),
    row,
    help,
    error,
  );
  /** @param {Omit<FormState, "sections">} state */
  function show({ values, autos, errors, disabled, suggestions }) {
    const value = values[field.name];
    const open = value === null || value === undefined;
    const chosen = autos[field.name];
    last = (open ? chosen : value) ?? last;
    if (suggestions[field.name]) control.suggest?.(suggestions[field.name]);
    control.set(open && auto ? (chosen ?? null) : value);
    const unused = (field.needs && !values[field.needs]) || (field.unless && values[field.unless]);
    const idle = Boolean(disabled || unused);
    control.enable(!idle && !(auto && open));
    if (auto) {
      auto.checked = open;
      auto.disabled = idle;
    }
    node.classList.toggle("ntg-idle", idle);
    node.classList.toggle("ntg-open", Boolean(auto && open));
    error.textContent = visible(errors[field.name] ?? "");
    control.main.setAttribute("aria-invalid", errors[field.name] ? "true" : "false");
  }
  return { node, show };
}

/**
 * @param {Field} field
 * @returns {SettingValue}
 */
function firstValue(field) {
  return field.stops?.[0] ?? field.choices?.[0] ?? false;
}

/** @param {{ model: FormModel, el: HTMLElement }} context */
function render({ model, el: root }) {
  const id = uniqueId();
  root.classList.add("ntg", "ntg-form");
  const releaseKeys = keepKeys(root);
  /** @type {ReturnType<typeof formRow>[]} */
  let rows = [];

  /**
   * @param {string} name
   * @param {SettingValue} value
   */
  function onChange(name, value) {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
  }
  function show() {
    const state = {
      values: model.get("values"),
      autos: model.get("autos"),
      errors: model.get("errors"),
      suggestions: model.get("suggestions"),
      disabled: model.get("disabled"),
    };
    for (const row of rows) row.show(state);
  }
  function build() {
    rows = [];
    const parts = model.get("sections").map((section, index) => {
      const grid = el("div", { class: "ntg-grid" });
      for (const field of section.fields) {
        const row = formRow(field, `${id}-${field.name}`, onChange);
        rows.push(row);
        grid.append(row.node);
      }
      if (section.closed) return el("details", {}, el("summary", { text: section.title }), grid);
      const title = el("div", { class: "ntg-title", id: `${id}-title${index}`, text: section.title });
      return el("div", { role: "group", "aria-labelledby": title.id }, title, grid);
    });
    root.replaceChildren(...parts);
    show();
  }
  build();
  const watched = ["values", "autos", "errors", "suggestions", "disabled"].map((name) => [`change:${name}`, show]);
  const release = listen(model, { "change:sections": build, ...Object.fromEntries(watched) });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
