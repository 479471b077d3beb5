// A text as a row of chips: its own characters, shaded by attribution.

/**
 * One row.
 *
 * @param {string} label what the row is, for screen readers
 * @param {string} text the whole text
 * @param {{text: string, start: number, stop: number}[]} tokens its parts
 * @param {{active: (at: number|null) => void, pressed: (at: number, chip: HTMLElement) => void}} heard
 *   `active` on hover and focus, `pressed` on click, Enter and Space
 */
function chipRow(label, text, tokens, heard) {
  const characters = points(text);
  const inOrder = tokens.every((token, at) => at === 0 || tokens[at - 1].stop <= token.start);
  const narrow = tokens.length > 0 && characters.length / tokens.length < 2.5;
  const node = el("div", { class: `nte-row${narrow ? " nte-narrow" : ""}`, role: "group", "aria-label": label, dir: direction(text) });
  const chips = [];
  let at = 0;
  for (const [number, token] of tokens.entries()) {
    if (inOrder && token.start > at) node.append(gap(characters.slice(at, token.start).join("")));
    if (inOrder) at = token.stop;
    const own = inOrder ? characters.slice(token.start, token.stop).join("") : "";
    const chip = el(
      "button",
      {
        type: "button",
        class: "nte-chip",
        tabindex: number === 0 ? "0" : "-1",
        mouseenter: () => heard.active(number),
        mouseleave: () => heard.active(null),
        focus: () => heard.active(number),
        blur: () => heard.active(null),
        click: () => heard.pressed(number, chip),
      },
      el("bdi", { class: "nte-word", text: own.trim() ? visible(own) : shown(own || token.text) }),
      el("span", { class: "nte-number", "aria-hidden": "true" })
    );
    chips.push(chip);
    node.append(chip);
  }
  if (inOrder && at < characters.length) node.append(gap(characters.slice(at).join("")));
  node.addEventListener("keydown", (event) => move(event, chips, node));
  return { node, chips };
}

/** What stands between two chips, as it stands in the text. */
function gap(text) {
  return el("span", { class: "nte-gap", text: visible(text.replaceAll("\n", " ")) });
}

/** Arrow keys move among the chips of a row, in reading direction; one Tab stop for the row. */
function move(event, chips, node) {
  const from = chips.indexOf(event.target.closest(".nte-chip"));
  if (from < 0) return;
  const ahead = getComputedStyle(node).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const steps = { [ahead]: 1, [ahead === "ArrowRight" ? "ArrowLeft" : "ArrowRight"]: -1, Home: -from, End: chips.length - 1 - from };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  const to = Math.min(chips.length - 1, Math.max(0, from + steps[event.key]));
  for (const chip of chips) chip.tabIndex = -1;
  chips[to].tabIndex = 0;
  chips[to].focus();
}

/** Shade a row; `values` null takes the shading away. */
function shade(row, values, { numbers = true, names = null } = {}) {
  const most = values ? largest(values) : 1;
  for (const [at, chip] of row.chips.entries()) {
    const value = values ? values[at] : 0;
    const share = Math.abs(value) / most;
    chip.classList.toggle("nte-for", value > 0);
    chip.classList.toggle("nte-against", value < 0);
    chip.style.setProperty("--share", share.toFixed(3));
    const number = values && numbers && share > 0.04 && Math.abs(value) >= 0.005 ? signed(value, Math.abs(value) < 9.995 ? 2 : 1) : "";
    chip.lastChild.textContent = number;
    const word = chip.firstChild.textContent;
    chip.setAttribute("aria-label", values ? `${word}, ${signed(value)}${names ? ` ${names}` : ""}` : word);
  }
}
