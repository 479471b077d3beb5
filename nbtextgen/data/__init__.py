"""Two columns of text: read, checked, cleaned, augmented, cut into batches, and stored as tokens."""
