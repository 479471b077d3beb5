"""A training in a folder: event log, lock, requests, launch of processes, and watching from elsewhere."""
