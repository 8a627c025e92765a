"""Models, data, training and runs of ResNet Lab: PyTorch, numpy and safetensors, nothing else.

Importing this package imports no torch, so that the app can read names, cards and errors
without paying for it; the submodules that compute import torch themselves.
"""
