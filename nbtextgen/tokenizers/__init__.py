"""Text to token ids and back: characters, words, symbols, byte-pair encoding, and normalization."""
