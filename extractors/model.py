"""What a model is to the extractors: a batch of images in, arrays out."""

from typing import Protocol

import numpy as np

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Model(Protocol):
    """A model that is ready to run: it owns its weights, its device and its precision, and nothing of the images.

    ``name``    is for the feature files: ``densenet161``.
    ``size``    height and width that it wants; the caller resizes.
    ``mean``, ``std``  of the three channels (red, green, blue, 0..1); the caller subtracts and divides.
    ``digest``  SHA-256 of the weights, as hex: the same digest and the same options give the same features.

    It may also have ``code_lengths``, where the signs of its features are binary codes of these lengths side by
    side, and ``frames``, where it takes clips (n, frames, 3, height, width), 0 for any number of frames.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def mean(self) -> tuple[float, float, float]: ...
    @property
    def std(self) -> tuple[float, float, float]: ...
    @property
    def digest(self) -> str: ...

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Run the model on a batch.

        Takes:   images (n, 3, height, width) float32, normalised; not to be written to.
        Returns: float32 arrays with n rows by name. ``""`` is the feature (n, d), as the model puts it out (not
                 normalised); ``"parts"`` (n, p, d), where there are parts; every other name is a head beside it
                 (``"camera"``, ``"orientation"``: softmax vectors), (n, k).
        """
        ...
