"""Models leave PyTorch here: ONNX files that stand alone, their proof, and what runs them.

Classifying imports no torch; `onnx_file` and `verify` do.
"""
