"""The Review panel: a column of outputs, the doubtful first, decided by keyboard."""
