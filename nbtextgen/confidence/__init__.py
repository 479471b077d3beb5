"""The probability that an output is right, calibrated on held-out pairs, and acceptance with a promise."""
