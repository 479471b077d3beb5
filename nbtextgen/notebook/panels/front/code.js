// Pieces of code, each with a button that copies it.

// Keys pressed in our controls are theirs: JupyterLab would take arrows and Enter for the notebook's own commands.
function keepKeys(el) {
  const keep = (event) => !event.ctrlKey && !event.metaKey && event.stopPropagation();
  el.addEventListener("keydown", keep);
  return () => el.removeEventListener("keydown", keep);
}

function render({ model, el }) {
  el.classList.add("ntg-code");
  const release = keepKeys(el);
  const said = document.createElement("span");
  said.className = "ntg-hidden";
  said.setAttribute("role", "status");

  function show() {
    const parts = model.get("pieces").map(({ name, code }) => {
      const title = Object.assign(document.createElement("div"), { className: "ntg-name", textContent: name });
      const text = Object.assign(document.createElement("pre"), { textContent: code, tabIndex: 0 });
      text.setAttribute("role", "group");
      text.setAttribute("aria-label", name);
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
      button.setAttribute("aria-label", `Copy ${name}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code);
          button.textContent = said.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(text); // no right to the clipboard: selected, ready for Ctrl-C
          button.textContent = said.textContent = "Press Ctrl-C";
        }
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
      const row = document.createElement("div");
      row.append(title, text, button);
      return row;
    });
    el.replaceChildren(...parts, said);
  }
  show();
  model.on("change:pieces", show);
  return () => {
    release();
    model.off("change:pieces", show);
  };
}

export default { render };
