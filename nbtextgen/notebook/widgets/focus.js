// Where the focus goes when the control that has it is disabled or goes away: otherwise it falls to the page, where the next key is
// one of the notebook's commands.

const REMEMBERED = 20;
const LATE = 200; // milliseconds
const CONTROLS_OF_A_PANEL =
  "button, input, select, textarea, summary, [tabindex]:not([tabindex='-1']), [contenteditable='true']";

/**
 * Whether an element can take the focus now.
 *
 * @param {HTMLElement} node
 */
function canFocus(node) {
  return node.isConnected && !node.matches(":disabled") && (node.checkVisibility?.() ?? true);
}

/**
 * The controls of a panel, in the order of Tab.
 *
 * @param {HTMLElement} root
 * @returns {HTMLElement[]}
 */
function controlsIn(root) {
  return [...root.querySelectorAll(CONTROLS_OF_A_PANEL)].filter((node) => node instanceof HTMLElement);
}

/**
 * What a control is called, so that one drawn anew in its place is found.
 *
 * @param {HTMLElement} node
 */
function nameOf(node) {
  return `${node.tagName} ${node.getAttribute("aria-label") ?? node.textContent}`;
}

/**
 * Whether an element holds the focus for another: a box, or the bar of the work that goes on.
 *
 * @param {HTMLElement} node
 */
function isRest(node) {
  return node.tabIndex < 0 || node.closest(".ntg-progress") !== null;
}

/** @param {HTMLElement} place */
function focusable(place) {
  if (!place.hasAttribute("tabindex")) place.tabIndex = -1;
  return place;
}

/** Keeps the focus in a panel. */
class FocusKeeper {
  /** @param {() => HTMLElement | null} root the panel, once it is on the page */
  constructor(root) {
    this.root = root;
    /** @type {HTMLElement | null} the control that has the focus */
    this.last = null;
    /** @type {HTMLElement | null} a disabled control, for which something without effect has the focus */
    this.waiting = null;
    /** @type {HTMLElement[]} the controls when the focus came */
    this.order = [];
    /** @type {HTMLElement[]} those that had the focus before, the latest first */
    this.earlier = [];
    /** @type {HTMLElement[]} disabled ones beside the one that waits */
    this.beside = [];
    this.name = "";
    this.observer = new MutationObserver(() => this.check());
    /** @param {FocusEvent} event */
    this.onFocus = (event) => this.take(/** @type {HTMLElement} */ (event.target));
    document.addEventListener("focusin", this.onFocus);
  }

  /** @param {HTMLElement} node what has the focus now */
  take(node) {
    const root = this.root();
    if (!root?.contains(node)) {
      // The user left; but if the control is gone, the page or JupyterLab took the focus.
      if (this.last && (this.waiting || canFocus(this.last))) this.forget();
      return;
    }
    if (this.waiting && isRest(node)) return;
    this.waiting = null;
    if (this.last && this.last !== node) this.earlier = [this.last, ...this.earlier].slice(0, REMEMBERED);
    this.last = node;
    this.name = nameOf(node);
    this.order = controlsIn(root);
    this.observer.disconnect();
    const attributeFilter = ["disabled", "hidden", "style", "class", "open"];
    this.observer.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter });
  }

  forget() {
    this.last = this.waiting = null;
    this.observer.disconnect();
  }

  /**
   * After a change of the panel: is the focus still where it can be?
   *
   * @param {boolean} [late] whether a control that waits has had its time
   */
  check(late = false) {
    const [root, { activeElement: active }] = [this.root(), document];
    if (!root?.isConnected || !this.last) return this.forget();
    const inside = active instanceof HTMLElement && active !== this.last && root.contains(active);
    if (inside && !(this.waiting && isRest(active))) return undefined; // whoever changed the panel has moved it
    if (this.waiting && canFocus(this.waiting)) return this.waiting.focus({ preventScroll: true });
    if (late) return (this.waiting && this.beside.find(canFocus))?.focus({ preventScroll: true });
    if (this.waiting && this.beside.some(canFocus)) setTimeout(() => this.check(true), LATE); // its turn may come yet
    if (canFocus(this.last)) return undefined;
    if (this.last.isConnected && this.last.matches(":disabled")) return this.rest(root, this.last);
    return (this.next(root) ?? focusable(root)).focus({ preventScroll: true });
  }

  /**
   * Waits beside a disabled control: a second press of its key has no effect, Tab leads on, and the focus comes back.
   *
   * @param {HTMLElement} root
   * @param {HTMLElement} control
   */
  rest(root, control) {
    const busy = [...root.querySelectorAll(".ntg-progress")].find((bar) => bar.querySelector("progress:not([hidden])"));
    const place = busy instanceof HTMLElement ? busy : (control.parentElement ?? root);
    if (this.waiting !== control) {
      this.waiting = control;
      const near = controlsIn(control.parentElement ?? root);
      this.beside = near.filter((node) => node.matches(":disabled")); // "Start", while "Stop" waits until it has stopped
    }
    if (!place.contains(document.activeElement) || document.activeElement === control)
      focusable(place).focus({ preventScroll: true });
  }

  /**
   * The control in the place of one that has gone: the same drawn anew, else the one after it, else the one before it. If its
   * whole widget has gone, the one that had the focus before, which opened it.
   *
   * @param {HTMLElement} root
   */
  next(root) {
    const now = controlsIn(root).filter(canFocus);
    const again = now.filter((node) => nameOf(node) === this.name);
    if (again.length === 1) return again[0];
    if (this.last?.closest(".ntg")?.isConnected === false) {
      const opener = this.earlier.find((node) => now.includes(node));
      if (opener) return opener;
    }
    const at = this.last ? this.order.indexOf(this.last) : -1;
    const before = this.order
      .slice(0, Math.max(0, at))
      .reverse()
      .find((node) => now.includes(node));
    const first = before ? now.indexOf(before) + 1 : 0;
    return now[first] ?? before ?? null;
  }

  end() {
    document.removeEventListener("focusin", this.onFocus);
    this.forget();
  }
}
