"""A package, so that `tests` here is found before the folder of that name which IPython 7 puts on the path."""
