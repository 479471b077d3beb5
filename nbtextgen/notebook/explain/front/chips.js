// A text as a row of chips: its own characters, shaded by attribution.

/** @typedef {{ node: HTMLElement, chips: HTMLButtonElement[] }} ChipRow */

const NARROW = 2.5; // characters per chip below which chips get borders

/**
 * Makes a row of chips.
 *
 * @param {string} label name of the row for screen readers
 * @param {string} text the whole text
 * @param {TextPart[]} parts
 * @param {{ onActive: (index: number | null) => void, onPress: (index: number, chip: HTMLElement) => void }} callbacks
 *   `onActive` follows hover and focus, `onPress` a click, Enter or Space
 * @returns {ChipRow}
 */
function chipRow(label, text, parts, callbacks) {
  const characters = codePoints(text);
  const inOrder = parts.every((part, index) => index === 0 || parts[index - 1].stop <= part.start);
  const narrow = parts.length > 0 && characters.length / parts.length < NARROW;
  const classes = `nte-row${narrow ? " nte-narrow" : ""}`;
  const node = el("div", { class: classes, role: "group", "aria-label": label, dir: textDirection(text) });
  /** @param {number} start @param {number} [stop] */
  const slice = (start, stop) => characters.slice(start, stop).join("");
  let end = 0; // of the part before
  const chips = parts.map((part, index) => {
    if (inOrder && part.start > end) node.append(gap(slice(end, part.start)));
    end = part.stop;
    const own = inOrder ? slice(part.start, part.stop) : "";
    const chip = chipElement(own.trim() ? visible(own) : tokenName(own || part.text), index, callbacks);
    node.append(chip);
    return chip;
  });
  if (inOrder && end < characters.length) node.append(gap(slice(end)));
  node.addEventListener("keydown", (event) => moveFocus(event, chips, node));
  return { node, chips };
}

/**
 * @param {string} word
 * @param {number} index
 * @param {Parameters<typeof chipRow>[3]} callbacks
 */
function chipElement(word, index, { onActive, onPress }) {
  const chip = el(
    "button",
    {
      type: "button",
      class: "nte-chip",
      tabindex: index === 0 ? "0" : "-1",
      mouseenter: () => onActive(index),
      mouseleave: () => onActive(null),
      focus: () => onActive(index),
      blur: () => onActive(null),
      click: () => onPress(index, chip),
    },
    el("bdi", { class: "nte-word", text: word }),
    el("span", { class: "nte-number", "aria-hidden": "true" }),
  );
  return chip;
}

/**
 * The text between two chips.
 *
 * @param {string} text
 */
function gap(text) {
  return el("span", { class: "nte-gap", text: visible(text.replaceAll("\n", " ")) });
}

/**
 * Moves the focus among the chips of a row with arrow keys, in reading direction. A row is one Tab stop.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} chips
 * @param {HTMLElement} row
 */
function moveFocus(event, chips, row) {
  const from = chips.findIndex((chip) => event.target instanceof Node && chip.contains(event.target));
  if (from < 0) return;
  const ahead = getComputedStyle(row).direction === "rtl" ? -1 : 1;
  /** @type {Record<string, number>} */
  const targets = { ArrowRight: from + ahead, ArrowLeft: from - ahead, Home: 0, End: chips.length - 1 };
  if (!(event.key in targets)) return;
  event.preventDefault();
  event.stopPropagation();
  const to = Math.min(chips.length - 1, Math.max(0, targets[event.key]));
  for (const chip of chips) chip.tabIndex = -1;
  chips[to].tabIndex = 0;
  chips[to].focus();
}

/**
 * Shades the chips of a row.
 *
 * @param {ChipRow} row
 * @param {number[] | null} values null removes the shading
 * @param {string} [meaning] what the values are attributions for, read after the number
 * @param {number | null} [within] the value of the strongest shade; the largest of the values by default
 * @param {number[] | null} [errors] standard errors; what is within noise is pale
 */
function shade(row, values, meaning = "", within = null, errors = null) {
  const scale = values ? (within ?? largest(values)) : 1;
  for (const [index, chip] of row.chips.entries()) {
    const value = values ? values[index] : 0;
    const share = Math.abs(value) / scale;
    chip.classList.toggle("nte-for", value > 0);
    chip.classList.toggle("nte-against", value < 0);
    chip.classList.toggle("nte-noise", errors !== null && Math.abs(value) <= 1.96 * errors[index]);
    chip.style.setProperty("--share", share.toFixed(3));
    const [word, number] = chip.children;
    const worthShowing = share > 0.04 && Math.abs(value) >= 0.005;
    number.textContent = worthShowing ? formatSigned(value, Math.abs(value) < 9.995 ? 2 : 1) : "";
    const label = values ? `${word.textContent}, ${formatSigned(value)} ${meaning}`.trim() : word.textContent;
    chip.setAttribute("aria-label", label ?? "");
  }
}
