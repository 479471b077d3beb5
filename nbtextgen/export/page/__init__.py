"""A model as one page: weights, engine and controls in a single HTML file that needs no server and no network."""
