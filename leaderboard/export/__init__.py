"""Exported models: a folder with a program in ONNX and all that one must know to run it."""
