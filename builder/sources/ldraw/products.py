"""Products of matrices that are the same on every processor."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Libraries add up in the order that suits a processor, so the last digits differ. Models are full
# of numbers that lie just between two pixels or two bounds, and a last digit would decide.
KEPT_DIGITS = 9


def product(
    a: NDArray[Any], b: NDArray[Any], plus: NDArray[Any] | tuple[int, int] | float = 0.0
) -> NDArray[Any]:
    """`a @ b + plus`, rounded to `KEPT_DIGITS` decimals."""
    found: NDArray[Any] = np.round(a @ b + plus, KEPT_DIGITS)
    return found
