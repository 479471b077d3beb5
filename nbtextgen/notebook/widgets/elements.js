// What every page of ours is made of: elements whose texts are only ever text nodes, and text made visible.

const SVG = "http://www.w3.org/2000/svg";
const NAMED = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u200b\u2060\ufeff\u00ad]/g;

/** An element; `text` becomes a text node, functions become listeners, everything else an attribute. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The same for a part of a picture. */
function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** A button of the look that all have. */
function button(text, click, attributes = {}) {
  return el("button", { type: "button", class: "ntg-button", text, click, ...attributes });
}

/** Sets a text; one that says the same already stays, so that readers are not told twice. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Control characters as pictures, invisible and direction marks by their number: nothing hides, nothing reorders. */
function visible(text) {
  return text
    .replace(/[\u0000-\u001f]/g, (one) => String.fromCharCode(0x2400 + one.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(NAMED, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** Keys pressed in our controls are theirs: JupyterLab would take arrows and Enter for the notebook's own commands. */
function keepKeys(root) {
  const keep = (event) => !event.ctrlKey && !event.metaKey && event.stopPropagation();
  root.addEventListener("keydown", keep);
  return () => root.removeEventListener("keydown", keep);
}
