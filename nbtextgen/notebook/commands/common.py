"""Options that every magic has."""

from __future__ import annotations

from nbtextgen.notebook.options import flag_option

COMMON = {
    one.name: one
    for one in (
        flag_option("show_code", "print the Python that does the same, instead of doing it"),
        flag_option("debug", "show the full traceback of an error"),
    )
}
