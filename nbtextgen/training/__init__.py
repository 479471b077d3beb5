"""The training loop as a stream of events, with its schedule, checkpoints, controls, and several processes."""
