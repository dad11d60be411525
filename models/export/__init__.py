"""Trained generators as files that simulations read without Python: ONNX, and what Par04 and FastCaloSim expect."""
