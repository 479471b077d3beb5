// The panel as a picture: a copy of it is laid out out of sight, and every box and word is drawn where it stands.

const NOT_IN_PICTURES = ".nte-menu, .ntg-button, .nte-close, .nte-label, .nte-summary, [data-cursor]";

const HALO = "paint-order: stroke; stroke: #fff; stroke-width: 3px"; // as in the style sheet, which a picture has not

/**
 * What the panel shows, dark on white whatever the theme: the texts, the matrix, the changed output, the pins.
 *
 * @param {Panel} panel
 * @param {Answer} answer
 */
function panelPicture(panel, answer) {
  const contrast = answer.contrast === null ? "" : `, against ${visible(answer.contrast)}`;
  const title = el("strong", { text: `${answer.name}${contrast} (${answer.measure})` });
  const paper = el("div", { class: "ntg nte nte-paper" }, title);
  const parts = [panel.body, panel.change, panel.minimal, panel.pins.node];
  const originals = parts.flatMap((part) => [...part.querySelectorAll(".nte-arcs")]);
  paper.append(...parts.map((part) => part.cloneNode(true)));
  for (const node of paper.querySelectorAll(NOT_IN_PICTURES)) node.remove();
  paper.append(
    el("p", { class: "ntg-muted", text: caption(answer, panel.selected, panel.model.get("choices").model) }),
  );
  panel.root.append(paper);
  for (const [index, picture] of [...paper.querySelectorAll(".nte-arcs")].entries()) {
    const row = /** @type {HTMLElement} */ (picture.parentElement);
    drawArcs(/** @type {SVGElement} */ (picture), row, drawnPairs.get(originals[index]) ?? []);
    for (const text of picture.querySelectorAll("text")) text.setAttribute("style", HALO);
  }
  try {
    return drawPaper(paper);
  } finally {
    paper.remove();
  }
}

/**
 * What a picture shows, for a reader who has nothing else.
 *
 * @param {Answer} answer
 * @param {number | null} selected the output token whose attributions are shown
 * @param {string} [model] its fingerprint
 */
function caption({ name, algorithm, source, text, outputs, unit }, selected, model = "") {
  const part = selected === null ? "the output" : `“${tokenName(outputs[selected].text)}” in the output`;
  const by = model ? ` Model ${model}.` : "";
  return `Attributions of ${part} “${visible(text)}” to the input “${visible(source)}” by ${unit}: ${name}, ${algorithm}.${by}`;
}

/** @param {HTMLElement} paper */
function drawPaper(paper) {
  const box = paper.getBoundingClientRect();
  const [width, height] = [Math.ceil(box.width), Math.ceil(box.height)];
  const family = getComputedStyle(paper).fontFamily;
  const viewBox = `0 0 ${width} ${height}`;
  const root = svg("svg", { xmlns: SVG, width, height, viewBox, color: "#222", "font-family": family });
  root.append(svg("rect", { width, height, fill: "#fff" }));
  /**
   * @param {Node} node
   * @param {string} decoration of the text, inherited
   */
  const draw = (node, decoration) => {
    if (node instanceof Text) root.append(...drawWords(node, box, decoration));
    else if (node instanceof SVGElement) root.append(drawPicture(node, box));
    else if (node instanceof HTMLElement) {
      const style = getComputedStyle(node);
      if (style.display === "none") return;
      if (node !== paper) root.append(...drawBoxes(node, style, box));
      const own = style.textDecorationLine;
      for (const child of node.childNodes) draw(child, own === "none" ? decoration : own);
    }
  };
  draw(paper, "");
  return root;
}

/**
 * @param {SVGElement} picture
 * @param {DOMRect} origin
 */
function drawPicture(picture, origin) {
  const place = picture.getBoundingClientRect();
  const copy = /** @type {SVGElement} */ (picture.cloneNode(true));
  copy.setAttribute("x", String(place.left - origin.left));
  copy.setAttribute("y", String(place.top - origin.top));
  return copy;
}

/**
 * Background and border of an element, on every line that it covers.
 *
 * @param {HTMLElement} node
 * @param {CSSStyleDeclaration} style
 * @param {DOMRect} origin
 */
function drawBoxes(node, style, origin) {
  const filled = !/^(transparent|rgba\(\d+, \d+, \d+, 0\))$/.test(style.backgroundColor);
  const framed = parseFloat(style.borderLeftWidth) > 0 && style.borderLeftStyle !== "none";
  const marked = style.boxShadow !== "none";
  if (!filled && !framed && !marked) return [];
  const look = {
    rx: parseFloat(style.borderTopLeftRadius) || 0,
    fill: filled ? style.backgroundColor : "none",
    stroke: marked ? "#222" : framed ? style.borderLeftColor : "none",
    "stroke-width": marked ? 2 : 1,
  };
  return [...node.getClientRects()].map(({ left, top, width, height }) =>
    svg("rect", { x: left - origin.left, y: top - origin.top, width, height, ...look }),
  );
}

/**
 * The words of a text node, each where it stands.
 *
 * @param {Text} node
 * @param {DOMRect} origin
 * @param {string} decoration
 */
function drawWords(node, origin, decoration) {
  const style = getComputedStyle(/** @type {HTMLElement} */ (node.parentElement));
  const look = {
    "dominant-baseline": "central",
    "font-size": style.fontSize,
    "font-weight": style.fontWeight,
    fill: style.color,
    ...(decoration ? { "text-decoration": decoration } : {}),
  };
  const range = document.createRange();
  return [...node.data.matchAll(/\S+/g)].map(({ 0: word, index }) => {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const { left, top, height } = range.getBoundingClientRect();
    return svg("text", { x: left - origin.left, y: top - origin.top + height / 2, ...look }, word);
  });
}
