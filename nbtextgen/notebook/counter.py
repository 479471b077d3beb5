"""How far long work is, in one line that is gone when the work is over."""

from __future__ import annotations

from types import TracebackType

from IPython.display import DisplayHandle

from nbtextgen.notebook.pace import Pace

SOON = 0.5
"""Seconds before a line appears, and between two changes of it."""


class Counter:
    """A line such as "120 of 500 texts explained; interrupt to stop here", for work that takes over half a second.

    Example:
        >>> with Counter("texts explained", rich=True) as counter:      # doctest: +SKIP
        ...     model.explain_data(pairs, heard=counter)
    """

    def __init__(self, what: str, *, rich: bool) -> None:
        """Show nothing yet.

        Args:
            what: what is counted.
            rich: whether there is a notebook to show it in; a terminal stays quiet.
        """
        self.what, self.rich = what, rich
        self._handle: DisplayHandle | None = None
        self._pace = Pace(SOON)
        self._pace.due()  # short work shows nothing

    def __call__(self, done: int, count: int) -> None:
        """Tell that ``done`` of ``count`` are done."""
        if not self.rich or not self._pace.due():
            return
        text = {"text/plain": f"{done:,} of {count:,} {self.what}; interrupt to stop here"}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(text, raw=True)
        else:
            self._handle.update(text, raw=True)

    def __enter__(self) -> Counter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
