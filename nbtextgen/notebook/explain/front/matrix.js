// The matrix of all output tokens against all input units.

/** @typedef {{ cell?: number }} Zoom `cell`: size of a cell in pixels; none until the reader zooms */

const FOR = "217,95,2";
const AGAINST = "31,120,180";
const MAX_LABEL = 14; // characters
const [WIDTH, HEIGHT] = [760, 500]; // pixels that a matrix fills at first
const [MIN_CELL, MAX_CELL] = [5, 64];
const NUMBERED_CELL = 34; // pixels from which a cell shows its number
const INVISIBLE_SHARE = 0.02; // cells below this share of the largest value are left out, so that long texts stay light

/** @param {string} text */
function matrixLabel(text) {
  const characters = codePoints(tokenName(text));
  return characters.length > MAX_LABEL ? `${characters.slice(0, MAX_LABEL - 1).join("")}…` : characters.join("");
}

/**
 * Sizes of the cells and margins, in pixels.
 *
 * @param {Answer} answer
 * @param {number} cell
 */
function matrixLayout(answer, cell) {
  /** @param {TextPart[]} parts */
  const longest = (parts) => Math.max(1, ...parts.map((part) => codePoints(matrixLabel(part.text)).length));
  const font = Math.max(7, Math.min(13, cell * 0.62));
  const left = longest(answer.outputs) * font * 0.66 + 14;
  const top = longest(answer.inputs) * font * 0.66 + 12;
  const width = left + cell * answer.inputs.length + 6;
  const height = top + cell * answer.outputs.length + 6;
  return { cell, font, left, top, width, height };
}

/**
 * Draws the matrix.
 *
 * @param {Answer} answer
 * @param {number} cell
 */
function matrixSvg(answer, cell) {
  const layout = matrixLayout(answer, cell);
  const { font, left, top, width, height } = layout;
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "nte-svg" });
  const size = { width: cell * answer.inputs.length, height: cell * answer.outputs.length };
  root.append(svg("rect", { x: left, y: top, ...size, fill: "none", stroke: "currentColor", "stroke-opacity": 0.25 }));
  const text = { "font-size": font, fill: "currentColor", "dominant-baseline": "central" };
  const every = Math.ceil(font / cell); // small cells have room for some of the labels
  for (const [column, part] of answer.inputs.entries()) {
    if (column % every) continue;
    const [x, y] = [left + cell * (column + 0.5), top - 6];
    root.append(svg("text", { x, y, ...text, transform: `rotate(-90 ${x} ${y})` }, matrixLabel(part.text)));
  }
  const scale = largest(answer.values.flat());
  for (const [row, part] of answer.outputs.entries()) {
    const y = top + cell * (row + 0.5);
    if (row % every === 0) {
      root.append(svg("text", { x: left - 6, y, ...text, "text-anchor": "end" }, matrixLabel(part.text)));
    }
    for (const [column, value] of answer.values[row].entries()) {
      root.append(...matrixCell(value, Math.abs(value) / scale, left + cell * column, top + cell * row, cell));
    }
  }
  return root;
}

/**
 * @param {number} value
 * @param {number} share of the largest value, which sets the opacity
 * @param {number} x
 * @param {number} y
 * @param {number} cell
 */
function matrixCell(value, share, x, y, cell) {
  if (share < INVISIBLE_SHARE) return [];
  const fill = `rgba(${value > 0 ? FOR : AGAINST},${(0.85 * share).toFixed(3)})`;
  const size = { width: cell - 1, height: cell - 1, rx: Math.min(3, cell / 8) };
  const rectangle = svg("rect", { x: x + 0.5, y: y + 0.5, ...size, fill });
  if (cell < NUMBERED_CELL) return [rectangle];
  const font = { "font-size": Math.min(11, cell * 0.28), "text-anchor": "middle", "dominant-baseline": "central" };
  const place = { x: x + cell / 2, y: y + cell / 2 };
  return [rectangle, svg("text", { ...place, ...font, fill: "currentColor" }, formatSigned(value))];
}

/**
 * The cell under a point of the picture, or null outside.
 *
 * @param {Answer} answer
 * @param {number} cell
 * @param {number} x
 * @param {number} y
 */
function cellAt(answer, cell, x, y) {
  const { left, top } = matrixLayout(answer, cell);
  const [row, column] = [Math.floor((y - top) / cell), Math.floor((x - left) / cell)];
  const inside = row >= 0 && column >= 0 && row < answer.outputs.length && column < answer.inputs.length;
  return inside ? { row, column } : null;
}

/**
 * The matrix with a zoom slider and a cursor.
 *
 * @param {Answer} answer
 * @param {Zoom} zoom kept between two drawings
 * @param {(cell: { row: number, column: number } | null) => void} onCell the cell that is read, or null
 */
function matrixView(answer, zoom, onCell) {
  const [rows, columns] = [answer.outputs.length, answer.inputs.length];
  const slider = el("input", { type: "range", min: MIN_CELL, max: MAX_CELL, "aria-label": "Zoom", class: "nte-zoom" });
  const fitting = Math.max(9, Math.min(44, WIDTH / (columns + 3), HEIGHT / (rows + 2)));
  slider.value = String(Math.round(zoom.cell ?? fitting));
  const label = `Matrix of ${rows} output tokens by ${columns} input units; arrow keys read its cells`;
  const frame = el("div", { class: "nte-scroll", tabindex: "0", role: "img", "aria-label": label });
  const cursor = svg("rect", { fill: "none", stroke: "currentColor", "stroke-width": 2, "data-cursor": "" });
  let current = { row: 0, column: 0 };

  const cellSize = () => Number(slider.value);
  const draw = () => {
    zoom.cell = cellSize();
    cursor.setAttribute("width", slider.value);
    cursor.setAttribute("height", slider.value);
    cursor.setAttribute("visibility", "hidden");
    const picture = matrixSvg(answer, zoom.cell);
    picture.append(cursor);
    frame.replaceChildren(picture);
  };
  /** @param {{ row: number, column: number } | null} cell */
  const read = (cell) => {
    cursor.setAttribute("visibility", cell ? "visible" : "hidden");
    if (cell) {
      current = cell;
      const { left, top } = matrixLayout(answer, cellSize());
      cursor.setAttribute("x", String(left + cellSize() * cell.column));
      cursor.setAttribute("y", String(top + cellSize() * cell.row));
    }
    onCell(cell);
  };
  /** @param {string} key */
  const onKey = (key) => {
    /** @type {Record<string, [down: number, right: number]>} */
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const zoomed = { "+": 4, "-": -4 }[key];
    if (zoomed) {
      slider.value = String(cellSize() + zoomed);
      draw();
      read(current);
    } else if (steps[key]) {
      const [down, right] = steps[key];
      const row = Math.min(rows - 1, Math.max(0, current.row + down));
      read({ row, column: Math.min(columns - 1, Math.max(0, current.column + right)) });
    } else return false;
    return true;
  };
  frame.addEventListener("mousemove", (event) => {
    const box = /** @type {Element} */ (frame.firstElementChild).getBoundingClientRect();
    read(cellAt(answer, cellSize(), event.clientX - box.left, event.clientY - box.top));
  });
  frame.addEventListener("mouseleave", () => read(null));
  frame.addEventListener("focus", () => read(current));
  frame.addEventListener("keydown", (event) => {
    if (!onKey(event.key)) return;
    scrollClear(frame, cursor);
    event.preventDefault();
    event.stopPropagation();
  });
  slider.addEventListener("input", draw);
  draw();
  return el("div", { class: "nte-matrix" }, el("label", { class: "nte-label" }, "Zoom ", slider), frame);
}

/**
 * Scrolls so that an element stands clear of the edges.
 *
 * @param {HTMLElement} frame
 * @param {Element} node
 */
function scrollClear(frame, node) {
  const margin = 40;
  const [box, target] = [frame.getBoundingClientRect(), node.getBoundingClientRect()];
  frame.scrollLeft += Math.min(0, target.left - box.left - margin) + Math.max(0, target.right - box.right + margin);
  frame.scrollTop += Math.min(0, target.top - box.top - margin) + Math.max(0, target.bottom - box.bottom + margin);
}
