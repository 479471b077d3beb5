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

    Args:
        rows: the table.
        valid: validation pairs, or ``None``.
        tokens: settings of the tokenizers, for the report.
        keep: called with the result when the button is clicked.
        name: the variable that ``keep`` fills, for the message.
    """
    report = rows.report(valid=valid, **tokens)
    recommended = dict.fromkeys(step for step in report.steps.split(",") if step)
    others = [step for step in STEPS if step not in {each.partition(":")[0] for each in recommended}]
    not_useful = {"language", "empty"} | (set() if valid is not None else {"overlap"})
    boxes = [
        _box(step, checked=step in recommended)
        for step in [*recommended, *(step for step in others if step not in not_useful)]
    ]
    preview, message = widgets.HTML(), widgets.HTML()
    apply = widgets.Button(description=f"Clean into {name}", button_style="primary", layout={"width": "auto"})
    state: dict[str, Cleaned] = {}

    def refresh(_: object = None) -> None:
        state.clear()
        steps = [box.step for box in boxes if box.value]  # type: ignore[attr-defined]
        try:
            state["cleaned"] = rows.clean(steps, valid=valid)
            preview.value = "<b>Preview:</b>" + state["cleaned"].html()
        except NbTextGenError as error:
            preview.value = f"<b>{visible(str(error))}</b>"
        apply.disabled, message.value = not state, ""

    def clean(_: object) -> None:
        keep(state["cleaned"])
        kept = len(state["cleaned"].pairs)
        message.value = (
            f"{kept:,} pairs are in <code>{visible(name)}</code>; train with <code>--data {visible(name)}</code>"
        )

    for box in boxes:
        box.observe(refresh, "value")
    apply.on_click(clean)
    refresh()
    columns = widgets.Layout(
        grid_template_columns="repeat(auto-fill, minmax(min(100%, 36em), 1fr))", grid_gap="0 1.5em"
    )
    steps_grid = widgets.GridBox([_explained(box) for box in boxes], layout=columns)

    def summary() -> tuple[str, str]:
        steps = ",".join(box.step for box in boxes if box.value)  # type: ignore[attr-defined]
        return f"Cleaning panel: --clean {steps or 'none'} --into {name}", report.html() + preview.value

    parts = [widgets.HTML(report.html()), steps_grid, preview, widgets.HBox([apply, message])]
    return PlainBox(parts, summary)


def _box(step: str, *, checked: bool) -> widgets.Checkbox:
    """Return the check box of a step."""
    name = step.partition(":")[0]
    box = widgets.Checkbox(checked, description=step, indent=False, tooltip=STEPS[name], layout={"width": "10.5em"})
    box.step = step  # type: ignore[attr-defined]
    return box


def _explained(box: widgets.Checkbox) -> widgets.HBox:
    """Return a check box with a description of its step beside it."""
    description = f"<span style='opacity:.8;line-height:1.4'>{visible(box.tooltip)}</span>"
    return widgets.HBox([box, widgets.HTML(description, layout={"flex": "1 1 0", "min_width": "0"})])
