"""What arrays are called in annotations. A large one may also be a tensor on a CUDA device: it is used alike."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = np.ndarray  # features, distances, columns of a table
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
