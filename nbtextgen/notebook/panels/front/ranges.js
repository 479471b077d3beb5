// What to search: for each setting a switch, and a slider with two thumbs for a range of numbers or a box for each choice.

/**
 * @typedef {object} RangeField
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {"number" | "choice"} kind
 * @property {number[]} [stops]
 * @property {string[]} [choices]
 */

/** @typedef {[low: number | string, high: number | string] | string[]} Range an end that was typed and is no number is a text */

/**
 * Traits of `Ranges` in Python.
 *
 * @typedef {object} RangesState
 * @property {RangeField[]} fields
 * @property {Record<string, { on: boolean, range: Range }>} values
 * @property {Record<string, string>} errors by setting; under no name, one about all of them
 * @property {boolean} disabled
 */

/**
 * A slider with two thumbs over the same stops, and a box to type each end in. The lower end can never pass the upper: each
 * takes the other along. A typed end may lie outside of the slider.
 *
 * @param {RangeField} field
 * @param {Range} range
 * @param {(range: [low: number | string, high: number | string]) => void} onChange
 */
function numberRange(field, range, onChange) {
  const stops = field.stops ?? [];
  const values = [range[0], range[1]];
  const filled = el("div", { class: "ntg-filled" });
  const parts = ["from", "to"].map((end, side) => {
    const slider = stopSlider(stops, `${field.label}, ${end}`);
    const attributes = { type: "text", inputmode: "decimal", size: 6, autocomplete: "off" };
    const box = el("input", { ...attributes, "aria-label": `${field.label}, ${end}, number` });
    slider.addEventListener("input", () => set(side, stops[Number(slider.value)]));
    box.addEventListener("change", () => {
      const text = box.value.trim();
      set(side, text !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
    });
    return { slider, box };
  });
  /**
   * @param {number} side
   * @param {number | string} value
   */
  function set(side, value) {
    values[side] = value;
    if (Number(values[0]) > Number(values[1])) values[1 - side] = value;
    show();
    onChange([values[0], values[1]]);
  }
  function show() {
    const places = parts.map(({ slider, box }, side) => {
      box.value = formatValue(values[side]);
      slider.value = String(nearestStop(stops, Number(values[side])));
      slider.setAttribute("aria-valuetext", formatValue(values[side]));
      return (100 * Number(slider.value)) / Math.max(1, stops.length - 1);
    });
    filled.style.left = `${places[0]}%`;
    filled.style.right = `${100 - places[1]}%`;
  }
  show();
  const [low, high] = parts;
  const track = el("div", { class: "ntg-two" }, el("div", { class: "ntg-track" }, filled), low.slider, high.slider);
  return el("div", { class: "ntg-row" }, low.box, track, high.box);
}

/**
 * A check box for each choice.
 *
 * @param {RangeField} field
 * @param {Range} range
 * @param {(range: string[]) => void} onChange
 */
function choiceRange(field, range, onChange) {
  const choices = field.choices ?? [];
  const boxes = choices.map((choice) => {
    const box = el("input", { type: "checkbox" });
    box.checked = range.some((selected) => selected === choice);
    box.addEventListener("change", () => onChange(choices.filter((_, index) => boxes[index].checked)));
    return box;
  });
  const labels = choices.map((choice, index) => el("label", {}, boxes[index], visible(choice)));
  return el("div", { class: "ntg-row", role: "group", "aria-label": field.label }, ...labels);
}

/** @param {{ model: WidgetModel<RangesState, never, never>, el: HTMLElement }} context */
function render({ model, el: root }) {
  const id = uniqueId();
  root.classList.add("ntg", "ntg-ranges");
  const releaseKeys = keepKeys(root);
  const settings = el("fieldset", { "aria-label": "Settings to search" });
  const error = el("div", { class: "ntg-error", role: "alert" });
  root.replaceChildren(el("div", { class: "ntg-title", text: "Search" }), error, settings);
  /** @type {Map<string, { line: HTMLElement, control: HTMLElement }>} */
  let rows = new Map();

  /**
   * @param {string} name
   * @param {{ on?: boolean, range?: Range }} part
   */
  function update(name, part) {
    const values = model.get("values");
    model.set("values", { ...values, [name]: { ...values[name], ...part } });
    model.save_changes();
  }
  /** @param {RangeField} field */
  function rangeRow(field) {
    const { on, range } = model.get("values")[field.name];
    const box = el("input", { type: "checkbox", id: `${id}-${field.name}` });
    box.checked = on;
    const control = (field.kind === "number" ? numberRange : choiceRange)(field, range, (changed) =>
      update(field.name, { range: changed }),
    );
    const enable = () => {
      control.classList.toggle("ntg-off", !box.checked);
      for (const input of control.querySelectorAll("input")) input.disabled = !box.checked;
    };
    box.addEventListener("change", () => {
      enable();
      update(field.name, { on: box.checked });
    });
    enable();
    const label = el("label", { for: box.id }, box, el("span", { text: field.label }));
    const line = el("div", { class: "ntg-error", id: `${box.id}-error`, role: "alert" });
    rows.set(field.name, { line, control });
    return el("div", { class: "ntg-setting", title: field.help }, label, control, line);
  }
  function showErrors() {
    const errors = model.get("errors") ?? {};
    setText(error, visible(errors[""] ?? ""));
    for (const [name, { line, control }] of rows) {
      setText(line, visible(errors[name] ?? ""));
      for (const input of control.querySelectorAll("input")) {
        input.setAttribute("aria-invalid", String(name in errors));
        input.setAttribute("aria-describedby", line.id);
      }
    }
  }
  const enable = () => {
    settings.disabled = model.get("disabled");
  };
  const build = () => {
    rows = new Map();
    settings.replaceChildren(...model.get("fields").map(rangeRow));
    enable();
    showErrors();
  };
  build();
  const release = listen(model, { "change:fields": build, "change:disabled": enable, "change:errors": showErrors });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
