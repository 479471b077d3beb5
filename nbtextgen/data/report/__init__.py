"""The data report: checks over all rows, figures of each column, and their views."""
