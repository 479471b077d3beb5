"""Models for other programs: the encoder and the decoder's step as ONNX graphs."""
