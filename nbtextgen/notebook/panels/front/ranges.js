// What to search: for each setting a switch, and two sliders for a range of numbers or a box for each choice.

const shown = (value) => String(Number(value.toPrecision(4)));

// Two sliders over the same stops; the lower can never pass the upper.
function span(field, value, changed) {
  const stops = field.stops;
  const ends = value.map((end) => stops.reduce((best, stop, at) => (Math.abs(stop - end) < Math.abs(stops[best] - end) ? at : best), 0));
  const text = el("span", { class: "ntg-ends" });
  const sliders = ["from", "to"].map((which, side) => {
    const slider = el("input", { type: "range", min: 0, max: stops.length - 1, step: 1, "aria-label": `${field.label}, ${which}` });
    slider.value = ends[side];
    slider.addEventListener("input", () => {
      ends[side] = Number(slider.value);
      if (ends[0] > ends[1]) {
        ends[1 - side] = ends[side];
        sliders[1 - side].value = ends[side];
      }
      tell();
      changed(ends.map((at) => stops[at]));
    });
    return slider;
  });
  function tell() {
    sliders.forEach((slider, side) => slider.setAttribute("aria-valuetext", shown(stops[ends[side]])));
    text.textContent = `${shown(stops[ends[0]])} – ${shown(stops[ends[1]])}`;
  }
  tell();
  return el("div", { class: "ntg-row" }, ...sliders, text);
}

function choices(field, value, changed) {
  const row = el("div", { class: "ntg-row", role: "group", "aria-label": field.label });
  const boxes = field.choices.map((choice) => {
    const box = el("input", { type: "checkbox" });
    box.checked = value.includes(choice);
    box.addEventListener("change", () => changed(field.choices.filter((_, at) => boxes[at].checked)));
    row.append(el("label", {}, box, visible(choice)));
    return box;
  });
  return row;
}

function render({ model, el: root }) {
  const view = Math.random().toString(36).slice(2);
  root.classList.add("ntg", "ntg-ranges");
  const release = keepKeys(root);
  const title = el("div", { class: "ntg-title", text: "Search" });
  const all = el("fieldset", { "aria-label": "Settings to search" });
  root.replaceChildren(title, all);

  function put(name, part) {
    const values = model.get("values");
    model.set("values", { ...values, [name]: { ...values[name], ...part } });
    model.save_changes();
  }
  function build() {
    const values = model.get("values");
    all.replaceChildren(
      ...model.get("fields").map((field) => {
        const id = `ntg-ranges${view}-${field.name}`;
        const box = el("input", { type: "checkbox", id });
        box.checked = values[field.name].on;
        const changed = (range) => put(field.name, { range });
        const control = field.kind === "number" ? span(field, values[field.name].range, changed) : choices(field, values[field.name].range, changed);
        const row = el("div", { class: "ntg-setting", title: field.help }, el("label", { for: id }, box, field.label), control);
        const dim = () => {
          control.classList.toggle("ntg-off", !box.checked);
          for (const input of control.querySelectorAll("input")) input.disabled = !box.checked;
        };
        box.addEventListener("change", () => {
          dim();
          put(field.name, { on: box.checked });
        });
        dim();
        return row;
      }),
    );
    all.disabled = model.get("disabled");
  }
  const enable = () => (all.disabled = model.get("disabled"));
  build();
  model.on("change:fields", build);
  model.on("change:disabled", enable);
  return () => {
    release();
    model.off("change:fields", build);
    model.off("change:disabled", enable);
  };
}

export default { render };
