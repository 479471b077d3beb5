"""The Clean panel: the report, a check box for each cleaning step, a preview, and a button that cleans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import visible
from nbtextgen.data.cleaning.clean import STEPS
from nbtextgen.data.pairs import Cleaned, Pairs, RawPairs
from nbtextgen.notebook.panels.static import PlainBox


def cleaning_panel(
    rows: RawPairs, valid: Pairs | None, tokens: Mapping[str, Any], keep: Callable[[Cleaned], None], name: str
) -> widgets.VBox:
    """Return a panel to choose cleaning steps, preview their changes, and keep the result.

    ``tokens`` are settings of the tokenizers, for the report. A click calls ``keep``, which fills the variable ``name``.
    """
    report = rows.report(valid=valid, **tokens)
    recommended = dict.fromkeys(step for step in report.steps.split(",") if step)
    others = [step for step in STEPS if step not in {each.partition(":")[0] for each in recommended}]
    not_useful = {"language", "empty"} | (set() if valid is not None else {"overlap"})
    boxes = {step: _box(step, checked=True) for step in recommended}
    boxes |= {step: _box(step, checked=False) for step in others if step not in not_useful}
    preview, message = widgets.HTML(), widgets.HTML()
    apply = widgets.Button(description=f"Clean into {name}", button_style="primary", layout={"width": "auto"})
    state: dict[str, Cleaned] = {}

    def refresh(_: object = None) -> None:
        state.clear()
        steps = [step for step, box in boxes.items() if box.value]
        try:
            state["cleaned"] = rows.clean(steps, valid=valid)
            preview.value = "<b>Preview:</b>" + state["cleaned"].html()
        except NbTextGenError as error:
            preview.value = f"<b>{visible(error.in_form)}</b>"
        apply.disabled, message.value = not state, ""

    def clean(_: object) -> None:
        keep(state["cleaned"])
        kept = len(state["cleaned"].pairs)
        message.value = (
            f"{kept:,} pairs are in <code>{visible(name)}</code>; train with <code>--data {visible(name)}</code>"
        )

    for box in boxes.values():
        box.observe(refresh, "value")
    apply.on_click(clean)
    refresh()
    columns = widgets.Layout(
        grid_template_columns="repeat(auto-fill, minmax(min(100%, 36em), 1fr))", grid_gap="0 1.5em"
    )
    steps_grid = widgets.GridBox(list(map(_explained, boxes.values())), layout=columns)

    def summary() -> tuple[str, str]:
        steps = ",".join(step for step, box in boxes.items() if box.value)
        return f"Cleaning panel: --clean {steps or 'none'} --into {name}", report.html() + preview.value

    parts = [widgets.HTML(report.html()), steps_grid, preview, widgets.HBox([apply, message])]
    return PlainBox(parts, summary)


def _box(step: str, *, checked: bool) -> widgets.Checkbox:
    """Return the check box of a step."""
    tooltip = STEPS[step.partition(":")[0]]
    return widgets.Checkbox(checked, description=step, indent=False, tooltip=tooltip, layout={"width": "10.5em"})


def _explained(box: widgets.Checkbox) -> widgets.HBox:
    """Return a check box with a description of its step beside it."""
    description = f"<span style='opacity:.8;line-height:1.4'>{visible(box.tooltip)}</span>"
    return widgets.HBox([box, widgets.HTML(description, layout={"flex": "1 1 0", "min_width": "0"})])
