"""Search over one stepping interface: greedy, sampling, beam, and a beam with terms that must be in the output."""
