// The panel as a picture to keep.

/**
 * What the panel shows, drawn on white whatever the theme: the texts as they are shaded, the matrix, the change, the pins.
 * A copy of it is laid out whole, out of sight, and every box and word of it is drawn where the browser has put it.
 */
function picture(panel) {
  const { answer } = panel;
  const against = answer.contrast === null ? "" : `, against ${visible(answer.contrast)}`;
  const paper = el("div", { class: "ntg nte nte-paper" }, el("strong", { text: `${answer.name}${against} (${answer.measure})` }));
  paper.append(...[panel.body, panel.changed, panel.pinned].map((part) => part.cloneNode(true)));
  for (const left of paper.querySelectorAll(".nte-menu, .ntg-button, .nte-label, .nte-card .nte-say, [data-cursor]")) left.remove();
  panel.root.append(paper);
  try {
    return drawn(paper);
  } finally {
    paper.remove();
  }
}

function drawn(paper) {
  const box = paper.getBoundingClientRect();
  const [width, height] = [Math.ceil(box.width), Math.ceil(box.height)];
  const family = getComputedStyle(paper).fontFamily;
  const root = svg("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, color: "#222", "font-family": family });
  root.append(svg("rect", { width, height, fill: "#fff" }));
  const walk = (node, decoration) => {
    if (node.nodeType === Node.TEXT_NODE) return root.append(...wordsOf(node, box, decoration));
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node.tagName === "svg") {
      const place = node.getBoundingClientRect();
      const inner = node.cloneNode(true);
      inner.setAttribute("x", place.left - box.left);
      inner.setAttribute("y", place.top - box.top);
      return root.append(inner);
    }
    const style = getComputedStyle(node);
    if (style.display === "none") return;
    if (node !== paper) root.append(...boxesOf(node, style, box));
    const own = style.textDecorationLine === "none" ? decoration : style.textDecorationLine;
    for (const child of node.childNodes) walk(child, own);
  };
  walk(paper, null);
  return root;
}

/** Background and border of an element, on every line that it reaches over. */
function boxesOf(node, style, box) {
  const filled = !/^(transparent|rgba\(\d+, \d+, \d+, 0\))$/.test(style.backgroundColor);
  const framed = parseFloat(style.borderLeftWidth) > 0 && style.borderLeftStyle !== "none";
  const chosen = style.boxShadow !== "none";
  if (!filled && !framed && !chosen) return [];
  const stroke = chosen ? "#222" : framed ? style.borderLeftColor : "none";
  return [...node.getClientRects()].map((place) =>
    svg("rect", { x: place.left - box.left, y: place.top - box.top, width: place.width, height: place.height, rx: parseFloat(style.borderTopLeftRadius) || 0, fill: filled ? style.backgroundColor : "none", stroke, "stroke-width": chosen ? 2 : 1 })
  );
}

/** The words of a text node, each where it stands. */
function wordsOf(node, box, decoration) {
  const style = getComputedStyle(node.parentElement);
  const range = document.createRange();
  return [...node.data.matchAll(/\S+/g)].map(({ 0: word, index }) => {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const place = range.getBoundingClientRect();
    const at = { x: place.left - box.left, y: place.top - box.top + place.height / 2, "dominant-baseline": "central" };
    return svg("text", { ...at, "font-size": style.fontSize, "font-weight": style.fontWeight, fill: style.color, ...(decoration ? { "text-decoration": decoration } : {}) }, word);
  });
}
