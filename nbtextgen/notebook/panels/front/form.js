// A form of settings: lists, switches, sliders with a box to type in, and texts, described by `fields.py`.
// Everything is a native control with a label, so that keyboard and screen readers work without more code.

// Up to four figures, without the noise of binary fractions.
function shown(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  if (Array.isArray(value)) return value.join(",");
  return String(value);
}

function nearestStop(stops, value) {
  let best = 0;
  stops.forEach((stop, at) => {
    if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = at;
  });
  return best;
}

// Each kind of control: builds its elements into `row`, and gives `set(value)` and `enable(on)`.
const kinds = {
  choice(field, id, row, changed) {
    const list = el("select", { id });
    for (const choice of field.choices) list.append(el("option", { value: choice, text: visible(choice) }));
    list.addEventListener("change", () => changed(list.value));
    row.append(list);
    return { main: list, set: (value) => (list.value = value ?? ""), enable: (on) => (list.disabled = !on) };
  },

  switch(field, id, row, changed) {
    const box = el("input", { id, type: "checkbox" });
    box.addEventListener("change", () => changed(box.checked));
    row.append(box);
    return { main: box, set: (value) => (box.checked = Boolean(value)), enable: (on) => (box.disabled = !on) };
  },

  number(field, id, row, changed) {
    const stops = field.stops;
    const slider = el("input", { type: "range", min: 0, max: stops.length - 1, step: 1, "aria-label": `${field.label}, slider` });
    const box = el("input", { id, type: "text", inputmode: "decimal", size: 6, autocomplete: "off", placeholder: "none" });
    const tell = (value) => slider.setAttribute("aria-valuetext", shown(value));
    slider.addEventListener("input", () => {
      box.value = shown(stops[slider.value]);
      tell(stops[slider.value]);
      changed(stops[slider.value]);
    });
    box.addEventListener("change", () => changed(box.value.trim()));
    row.append(slider, box);
    return {
      main: box,
      set(value) {
        if (value === null || value === undefined || value === "") return void (box.value = "");
        if (document.activeElement !== box) box.value = shown(value);
        if (document.activeElement !== slider) slider.value = nearestStop(stops, Number(value));
        tell(value);
      },
      enable: (on) => (slider.disabled = box.disabled = !on),
    };
  },

  text(field, id, row, changed) {
    const box = el("input", { id, type: "text", autocomplete: "off", spellcheck: "false", placeholder: field.placeholder });
    const list = el("datalist", { id: `${id}-list` });
    const offer = (names) => list.replaceChildren(...names.map((name) => el("option", { value: name })));
    if (field.suggest) box.setAttribute("list", list.id);
    offer(field.suggest ?? []);
    box.addEventListener("change", () => changed(box.value.trim()));
    row.append(box, list);
    return {
      main: box,
      offer,
      set: (value) => document.activeElement !== box && (box.value = shown(value)),
      enable: (on) => (box.disabled = !on),
    };
  },
};
kinds.words = kinds.text;

// Several lines; what is typed counts at once.
kinds.area = (field, id, row, changed) => {
  const box = el("textarea", { id, rows: 2, dir: "auto", spellcheck: "false", placeholder: field.placeholder });
  box.addEventListener("input", () => changed(box.value));
  row.append(box);
  return {
    main: box,
    set: (value) => document.activeElement !== box && (box.value = value ?? ""),
    enable: (on) => (box.disabled = !on),
  };
};

// One setting; `control.show(state)` brings it up to date.
function setting(field, id, changed) {
  const row = el("div", { class: "ntg-row" });
  const label = el("label", { for: id, text: field.label });
  const help = el("span", { id: `${id}-help`, class: "ntg-hidden", text: field.help });
  const error = el("span", { id: `${id}-error`, class: "ntg-error", role: "alert" });
  const control = kinds[field.kind](field, id, row, (value) => changed(field.name, value));
  control.main.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  const whole = el("div", { class: `ntg-field ntg-${field.kind}`, title: field.help }, label, row, help, error);
  let auto = null;
  let last = field.default;
  if (field.auto) {
    auto = el("input", { type: "checkbox", "aria-label": `${field.label}: automatic` });
    const word = el("span", { text: "auto" });
    whole.insertBefore(el("label", { class: "ntg-auto" }, auto, word), row);
    auto.addEventListener("change", () => {
      if (auto.checked) changed(field.name, null);
      else changed(field.name, last ?? (field.stops ? field.stops[0] : field.choices ? field.choices[0] : false));
    });
  }
  function show({ values, autos, errors, disabled, suggestions }) {
    const value = values[field.name];
    const open = value === null || value === undefined;
    const chosen = autos[field.name];
    if (open && chosen !== undefined && chosen !== null) last = chosen;
    if (!open) last = value;
    if (control.offer && suggestions[field.name]) control.offer(suggestions[field.name]);
    control.set(open && field.auto ? (chosen ?? null) : value);
    if (auto) auto.checked = open;
    const idle = disabled || (field.needs && !values[field.needs]); // without effect while that switch is off
    control.enable(!idle && !(auto && open));
    if (auto) auto.disabled = idle;
    whole.classList.toggle("ntg-idle", Boolean(idle));
    whole.classList.toggle("ntg-open", Boolean(auto && open));
    error.textContent = visible(errors[field.name] ?? "");
    control.main.setAttribute("aria-invalid", errors[field.name] ? "true" : "false");
  }
  return { whole, show };
}

function render({ model, el: root }) {
  const number = Math.random().toString(36).slice(2); // ids must differ between all forms of a page
  root.classList.add("ntg", "ntg-form");
  const release = keepKeys(root);
  let settings = [];

  function changed(name, value) {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
  }
  function show() {
    const state = {};
    for (const trait of ["values", "autos", "errors", "disabled", "suggestions"]) state[trait] = model.get(trait);
    for (const one of settings) one.show(state);
  }
  function build() {
    settings = [];
    const parts = model.get("sections").map((section, at) => {
      const grid = el("div", { class: "ntg-grid" });
      for (const field of section.fields) {
        const one = setting(field, `ntg-form${number}-${field.name}`, changed);
        settings.push(one);
        grid.append(one.whole);
      }
      if (section.closed) return el("details", {}, el("summary", { text: section.title }), grid);
      const title = el("div", { class: "ntg-title", id: `ntg-form${number}-title${at}`, text: section.title });
      return el("div", { role: "group", "aria-labelledby": title.id }, title, grid);
    });
    root.replaceChildren(...parts);
    show();
  }
  const watched = ["values", "autos", "errors", "disabled", "suggestions"];
  build();
  model.on("change:sections", build);
  for (const trait of watched) model.on(`change:${trait}`, show);
  return () => {
    release();
    model.off("change:sections", build);
    for (const trait of watched) model.off(`change:${trait}`, show);
  };
}

export default { render };
