"""Readers: rows with their places from files, tables in memory and streams; see ``read.py``."""
