"""The usual normalisations by name. No torch: the command line lists them."""

from __future__ import annotations

Numbers = tuple[float, ...]

# Mean and standard deviation of red, green and blue, in 0..1.
FIXED: dict[str, tuple[Numbers, Numbers]] = {
    # Of all pixels of CIFAR-10's training images.
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    # The same mean with the deviations that pytorch-cifar made common: means of each image's own.
    "pytorch_cifar": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "raw": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
# Measured on the training images of --data; called as the recipes call them.
MEASURED = ("per_channel", "per_pixel_mean")
NORMALISATION_NAMES = (*FIXED, *MEASURED)
# That of a file which holds its own.
STORED = "as stored in the file"
