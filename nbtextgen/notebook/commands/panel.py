"""``textgen_panel``: the panel of a training, of a model, or for a new one."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.errors import OptionError
from nbtextgen.notebook.commands.common import COMMON
from nbtextgen.notebook.options import help_table, parse_line
from nbtextgen.notebook.session import Commands, in_one_line


@magics_class
class PanelCommands(Commands):
    """Panels."""

    @line_magic
    @in_one_line
    def textgen_panel(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, COMMON)
        if len(parsed.words) > 1:
            raise OptionError(f"Only one name is expected, got also '{parsed.words[1]}'.")
        name = parsed.words[0] if parsed.words else None
        training = self.session.trainings.get(name or "")
        if training is not None and training.running:
            return training.show(rich=self.session.rich)
        return self._panel_of(name)

    def _panel_of(self, name: str | None) -> Any:
        """The panel of a model that is not in training, or for a new one."""
        from nbtextgen.notebook.live.history import History

        if name is None:
            names = [one for one, training in self.session.trainings.items() if training.running]
            there = f"{', '.join(names)} is training now" if names else "train one first with %textgen_train"
            raise OptionError(f"Name the model to show ({there}).")
        return History.of(name, self.session.model([name], "show"))


PanelCommands.textgen_panel.__doc__ = f"""Show the panel of a training that goes on in the background, or how a model was trained.

    %textgen_panel NAME

After a reload of the page this brings the panel of a running training back.

Options:

{help_table(COMMON)}
"""
