// One native control for each kind of setting, so that keyboard and screen readers work without more code.

/** @typedef {string | number | boolean | string[] | null | undefined} SettingValue */

/**
 * A setting; see `fields.py`.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} help
 * @property {keyof typeof CONTROLS} kind
 * @property {SettingValue} default
 * @property {boolean} [auto] whether the setting may be left open
 * @property {string} [open] what it is then, in a word
 * @property {string} [needs] the switch without which the setting has no effect
 * @property {string} [unless] the switch with which the setting has no effect
 * @property {string[]} [choices] of a list
 * @property {number[]} [stops] of a slider
 * @property {string} [placeholder] of a text
 * @property {boolean} [wide] whether it takes a whole row
 * @property {string[]} [suggest] names to offer for a text
 */

/**
 * @typedef {object} Control
 * @property {HTMLElement} main the element that the label names
 * @property {(value: SettingValue) => void} set
 * @property {(enabled: boolean) => void} enable
 * @property {(names: string[]) => void} [suggest] offers names for a text, or choices for a list
 */

/** @typedef {(field: Field, id: string, row: HTMLElement, onChange: (value: SettingValue) => void) => Control} ControlFactory */

/** @type {ControlFactory} */
function choiceControl(field, id, row, onChange) {
  const list = el("select", { id });
  /** @param {string[]} choices */
  const offer = (choices) => {
    if ([...list.options].map(({ value }) => value).join("\n") === choices.join("\n")) return;
    list.replaceChildren(...choices.map((choice) => el("option", { value: choice, text: visible(choice) })));
  };
  offer(field.choices ?? []);
  list.addEventListener("change", () => onChange(list.value));
  row.append(list);
  return {
    main: list,
    suggest: offer,
    set: (value) => {
      list.value = String(value ?? "");
    },
    enable: (enabled) => {
      list.disabled = !enabled;
    },
  };
}

/** @type {ControlFactory} */
function switchControl(field, id, row, onChange) {
  const box = el("input", { id, type: "checkbox" });
  box.addEventListener("change", () => onChange(box.checked));
  row.append(box);
  return {
    main: box,
    set: (value) => {
      box.checked = Boolean(value);
    },
    enable: (enabled) => {
      box.disabled = !enabled;
    },
  };
}

/**
 * A slider with a box to type in.
 *
 * @type {ControlFactory}
 */
function numberControl(field, id, row, onChange) {
  const stops = field.stops ?? [];
  const slider = stopSlider(stops, `${field.label}, slider`);
  const placeholder = field.open ?? "none";
  const attributes = { id, type: "text", inputmode: "decimal", size: 6, autocomplete: "off", placeholder };
  const box = el("input", attributes);
  /** @param {SettingValue} value */
  const announce = (value) => slider.setAttribute("aria-valuetext", formatValue(value));
  slider.addEventListener("input", () => {
    const value = stops[Number(slider.value)];
    box.value = formatValue(value);
    announce(value);
    onChange(value);
  });
  box.addEventListener("change", () => onChange(box.value.trim()));
  row.append(slider, box);
  return {
    main: box,
    set: (value) => {
      if (value === null || value === undefined || value === "") {
        box.value = "";
        slider.value = "0"; // without a value, a slider would stand anywhere
        slider.setAttribute("aria-valuetext", placeholder);
        return;
      }
      if (document.activeElement !== box) box.value = formatValue(value);
      if (document.activeElement !== slider) slider.value = String(nearestStop(stops, Number(value)));
      announce(value);
    },
    enable: (enabled) => {
      slider.disabled = box.disabled = !enabled;
    },
  };
}

/** @type {ControlFactory} */
function textControl(field, id, row, onChange) {
  const attributes = { type: "text", autocomplete: "off", spellcheck: "false", placeholder: field.placeholder };
  const list = el("datalist", { id: `${id}-list` });
  const box = el("input", { id, list: field.suggest ? list.id : null, ...attributes });
  /** @param {string[]} names */
  const suggest = (names) => list.replaceChildren(...names.map((name) => el("option", { value: name })));
  suggest(field.suggest ?? []);
  box.addEventListener("change", () => onChange(box.value.trim()));
  row.append(box, list);
  return {
    main: box,
    suggest,
    set: (value) => {
      if (document.activeElement !== box) box.value = formatValue(value);
    },
    enable: (enabled) => {
      box.disabled = !enabled;
    },
  };
}

/**
 * Several lines; every key counts at once.
 *
 * @type {ControlFactory}
 */
function areaControl(field, id, row, onChange) {
  const box = el("textarea", { id, rows: 2, dir: "auto", spellcheck: "false", placeholder: field.placeholder });
  box.addEventListener("input", () => onChange(box.value));
  row.append(box);
  return {
    main: box,
    set: (value) => {
      if (document.activeElement !== box) box.value = formatValue(value);
    },
    enable: (enabled) => {
      box.disabled = !enabled;
    },
  };
}

const CONTROLS = {
  choice: choiceControl,
  switch: switchControl,
  number: numberControl,
  text: textControl,
  words: textControl,
  area: areaControl,
};
