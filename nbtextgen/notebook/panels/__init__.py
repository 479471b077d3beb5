"""Panels with sliders over the same settings as the magics; opened by ``textgen_panel``."""
