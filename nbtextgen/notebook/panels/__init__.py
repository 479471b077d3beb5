"""The panels of ``textgen_panel``, with the same settings as the magics."""
