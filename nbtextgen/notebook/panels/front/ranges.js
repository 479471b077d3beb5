// What to search: for each setting a switch, and two sliders for a range of numbers or a box for each choice.

/**
 * @typedef {object} RangeField
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {"number" | "choice"} kind
 * @property {number[]} [stops]
 * @property {string[]} [choices]
 */

/** @typedef {[low: number, high: number] | string[]} Range */

/**
 * Traits of `Ranges` in Python.
 *
 * @typedef {object} RangesState
 * @property {RangeField[]} fields
 * @property {Record<string, { on: boolean, range: Range }>} values
 * @property {boolean} disabled
 */

/**
 * Two sliders over the same stops. The lower can never pass the upper: each takes the other along.
 *
 * @param {RangeField} field
 * @param {Range} range
 * @param {(range: [low: number, high: number]) => void} onChange
 */
function numberRange(field, range, onChange) {
  const stops = field.stops ?? [];
  const ends = range.map((end) => nearestStop(stops, Number(end)));
  const text = el("span", { class: "ntg-range" });
  const sliders = ["from", "to"].map((end, side) => {
    const slider = stopSlider(stops, `${field.label}, ${end}`);
    slider.value = String(ends[side]);
    slider.addEventListener("input", () => {
      ends[side] = Number(slider.value);
      if (ends[0] > ends[1]) {
        ends[1 - side] = ends[side];
        sliders[1 - side].value = slider.value;
      }
      show();
      onChange([stops[ends[0]], stops[ends[1]]]);
    });
    return slider;
  });
  function show() {
    sliders.forEach((slider, side) => slider.setAttribute("aria-valuetext", formatValue(stops[ends[side]])));
    text.textContent = `${formatValue(stops[ends[0]])} \u2013 ${formatValue(stops[ends[1]])}`;
  }
  show();
  return el("div", { class: "ntg-row" }, ...sliders, text);
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
  root.replaceChildren(el("div", { class: "ntg-title", text: "Search" }), settings);

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
    const label = el("label", { for: box.id }, box, field.label);
    return el("div", { class: "ntg-setting", title: field.help }, label, control);
  }
  const enable = () => {
    settings.disabled = model.get("disabled");
  };
  const build = () => {
    settings.replaceChildren(...model.get("fields").map(rangeRow));
    enable();
  };
  build();
  const release = listen(model, { "change:fields": build, "change:disabled": enable });
  return () => {
    releaseKeys();
    release();
  };
}

export default { render };
