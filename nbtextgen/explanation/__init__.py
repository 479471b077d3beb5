"""Why did it write that: every output token attributed to the input, and how far that can be trusted."""
