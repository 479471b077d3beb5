"""Every setting has a control that cannot offer what the setting refuses."""

from __future__ import annotations

import pytest

from nbtextgen.core.options import Option, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.panels.fields import field
from nbtextgen.pipeline.settings import fit_options

OPTIONS = [*fit_options().values(), *options_of(DecodingConfig).values()]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_control_offers_only_what_its_setting_allows(option: Option) -> None:
    control = field(option)
    assert control["help"].startswith(option.help)
    if control["kind"] == "number":
        stops = control["stops"]
        assert 5 <= len(stops) <= 60 or option.usual is not None and len(stops) >= 4
        assert stops == sorted(set(stops))
        assert [option.check(stop) for stop in stops] == stops
        if option.default is not None and option.usual is not None:
            assert option.check(option.default) in stops
    if control["kind"] == "choice":
        assert all(option.check(choice) == choice for choice in control["choices"])
    assert control["auto"] == (option.optional and control["kind"] != "text")
