"""``python -m nbtextgen``: the command line."""

from __future__ import annotations

import sys

from nbtextgen.cli import main

sys.exit(main())
