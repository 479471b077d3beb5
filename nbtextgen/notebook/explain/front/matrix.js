// All output tokens against all input units.

const FOR = "217,95,2";
const AGAINST = "31,120,180";
const LABEL_LIMIT = 14; // letters of a label

function label(text) {
  const letters = points(shown(text));
  return letters.length > LABEL_LIMIT ? letters.slice(0, LABEL_LIMIT - 1).join("") + "…" : letters.join("");
}

/** Width and height of a picture's cells and margins. */
function layout(answer, cell) {
  const longest = (tokens) => Math.max(1, ...tokens.map((token) => points(label(token.text)).length));
  const font = Math.max(7, Math.min(13, cell * 0.62));
  const left = longest(answer.outputs) * font * 0.66 + 14;
  const top = longest(answer.inputs) * font * 0.66 + 12;
  return { cell, font, left, top, width: left + cell * answer.inputs.length + 6, height: top + cell * answer.outputs.length + 6 };
}

/** The picture; cells of next to nothing are left out, so that long texts stay light. */
function matrixSvg(answer, cell) {
  const at = layout(answer, cell);
  const root = svg("svg", { width: at.width, height: at.height, viewBox: `0 0 ${at.width} ${at.height}`, class: "nte-svg" });
  const most = largest(answer.values.flat());
  const frame = svg("rect", { x: at.left, y: at.top, width: cell * answer.inputs.length, height: cell * answer.outputs.length, fill: "none", stroke: "currentColor", "stroke-opacity": 0.25 });
  root.append(frame);
  const every = Math.ceil(at.font / cell); // small cells: only as many labels as have room
  for (const [column, token] of answer.inputs.entries()) {
    if (column % every) continue;
    const x = at.left + cell * (column + 0.5);
    const turned = svg("text", { x, y: at.top - 6, "font-size": at.font, fill: "currentColor", transform: `rotate(-90 ${x} ${at.top - 6})`, "dominant-baseline": "central" }, label(token.text));
    root.append(turned);
  }
  for (const [row, token] of answer.outputs.entries()) {
    const y = at.top + cell * (row + 0.5);
    if (row % every === 0) root.append(svg("text", { x: at.left - 6, y, "font-size": at.font, fill: "currentColor", "text-anchor": "end", "dominant-baseline": "central" }, label(token.text)));
    for (const [column, value] of answer.values[row].entries()) {
      const share = Math.abs(value) / most;
      if (share < 0.02) continue;
      const x = at.left + cell * column;
      root.append(svg("rect", { x: x + 0.5, y: at.top + cell * row + 0.5, width: cell - 1, height: cell - 1, rx: Math.min(3, cell / 8), fill: `rgba(${value > 0 ? FOR : AGAINST},${(0.85 * share).toFixed(3)})` }));
      if (cell >= 34) root.append(svg("text", { x: x + cell / 2, y, "font-size": Math.min(11, cell * 0.28), fill: "currentColor", "text-anchor": "middle", "dominant-baseline": "central" }, signed(value)));
    }
  }
  return root;
}

/** The matrix with zoom and a cursor; `heard(row, column)` tells where the reader is, nulls when nowhere. */
function matrixView(answer, zoom, heard) {
  const node = el("div", { class: "nte-matrix" });
  const fitting = Math.max(9, Math.min(44, 760 / (answer.inputs.length + 3)));
  const slider = el("input", { type: "range", min: "5", max: "64", value: String(Math.round(zoom.cell ?? fitting)), "aria-label": "Zoom", class: "nte-zoom" });
  const place = el("div", { class: "nte-scroll", tabindex: "0", role: "img" });
  place.setAttribute("aria-label", `Matrix of ${answer.outputs.length} output tokens by ${answer.inputs.length} input units; arrow keys read its cells`);
  let at = { row: 0, column: 0 };
  let cursor = null;
  const draw = () => {
    zoom.cell = Number(slider.value);
    place.replaceChildren(matrixSvg(answer, zoom.cell));
    cursor = svg("rect", { width: zoom.cell, height: zoom.cell, fill: "none", stroke: "currentColor", "stroke-width": 2, visibility: "hidden", "data-cursor": "" });
    place.firstChild.append(cursor);
  };
  const point = (row, column) => {
    const seen = row !== null && row >= 0 && column >= 0 && row < answer.outputs.length && column < answer.inputs.length;
    cursor.setAttribute("visibility", seen ? "visible" : "hidden");
    if (!seen) return heard(null, null);
    at = { row, column };
    const size = layout(answer, zoom.cell);
    cursor.setAttribute("x", size.left + zoom.cell * column);
    cursor.setAttribute("y", size.top + zoom.cell * row);
    heard(row, column);
  };
  /** Scroll so that the cell that is read stands clear of the edges. */
  const follow = () => {
    const [box, cell] = [place.getBoundingClientRect(), cursor.getBoundingClientRect()];
    place.scrollLeft += Math.min(0, cell.left - box.left - 40) + Math.max(0, cell.right - box.right + 40);
    place.scrollTop += Math.min(0, cell.top - box.top - 40) + Math.max(0, cell.bottom - box.bottom + 40);
  };
  place.addEventListener("mousemove", (event) => {
    const box = place.firstChild.getBoundingClientRect();
    const size = layout(answer, zoom.cell);
    point(Math.floor((event.clientY - box.top - size.top) / zoom.cell), Math.floor((event.clientX - box.left - size.left) / zoom.cell));
  });
  place.addEventListener("mouseleave", () => point(null, null));
  place.addEventListener("focus", () => point(at.row, at.column));
  place.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "+" || event.key === "-") {
      slider.value = String(Number(slider.value) + (event.key === "+" ? 4 : -4));
      draw();
      point(at.row, at.column);
    } else if (event.key in steps) {
      const [down, right] = steps[event.key];
      point(Math.min(answer.outputs.length - 1, Math.max(0, at.row + down)), Math.min(answer.inputs.length - 1, Math.max(0, at.column + right)));
    } else return;
    follow();
    event.preventDefault();
    event.stopPropagation();
  });
  slider.addEventListener("input", draw);
  draw();
  node.append(el("label", { class: "nte-label" }, "Zoom ", slider), place);
  return node;
}
