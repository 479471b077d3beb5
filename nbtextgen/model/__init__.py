"""The network: encoder, attention, decoder, copy head and losses. It knows token ids, no text and no files."""
