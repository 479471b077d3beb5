"""A training on screen: run in a thread, recorded in bounded space, drawn alive and as a still picture."""
