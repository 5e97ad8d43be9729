"""Rows as whole numbers, and between which bounds their distances lie: the definition of ``int8`` and
``candidates``.

A row x, after a common part was taken off and it was turned (neither changes a distance), is ``a + r`` with ``a =
s q``, q whole numbers in -127 .. 127 and ``s = max |x_t| / 127``. With ``h = |x|`` and ``e >= |r|``

    x . y - a . b = x . r_y + r_x . y - r_x . r_y,    at most  h_x e_y + e_x h_y + e_x e_y  in size

by Cauchy and Schwarz, because ``a = x - r_x`` and ``b = y - r_y``. So ``D = |x - y|^2 = h_x^2 + h_y^2 - 2 x . y``
is off ``D^ = h_x^2 + h_y^2 - 2 s_x s_y q_x . q_y`` by twice that at most. Means of squares are no smaller than
products:

    e_x h_y + e_y h_x <= (e_x^2 / p + p h_y^2) / 2 + (e_y^2 / p + p h_x^2) / 2,    e_x e_y <= (e_x^2 + e_y^2) / 2

for any p > 0 (the mean of e over the mean of h is near the best). That falls into a part of x and a part of y:

    |D - D^| <= 2 u_x + 2 u_y    with    u = (e^2 / p + p h^2 + e^2) / 2
    L = D^ - 2 u_x - 2 u_y <= D <= L + 4 u_x + 4 u_y

Row i keeps j while L is at most the k-th smallest bound from above so far: what goes is farther than k others.
Likewise for the farthest: what goes has a bound from above below another's bound from below.

**Rounding**, with ``w = 2^-24`` (all that follows is added to u):

* Taking the mean off errs by w of each value. A stage of butterflies, ``fl(fl(a ± b) c)`` with ``c`` the float32
  nearest to ``2^-1/2``, errs by less than 3.1 w of what comes out. S stages: ``|error| <= t h`` with ``t = (3.1 S
  + 2) w``, in the same norm, because stages keep lengths. So e grows by t h, and h^2, summed in float64, is off by
  2.2 t h^2, half of which each u takes in full: ``1.1 t h^2``.
* What the whole numbers lose is taken in float64 from ``x_t - s q_t``, which is exact there but for 2^-53.
* L in float32: ``fl(fl(n_x + n_y) + fl(fl(f s_y) fl(q_x . q_y)))``, ``n = h^2 - 2 u``, ``f = -2 s_x``. Seven
  roundings of parts none of which is larger than ``2 (h + e)^2`` a side, and three more where u is added and taken
  off for limits: less than ``30 w (h + e)^2`` a side.
* What decides is no true distance, but the float32 number of ``settling.apart``: off by ``(d / 64 + 80) w`` of D
  at most, and ``D <= 2 h_x^2 + 2 h_y^2``. That is ``(d / 32 + 160) w h^2`` a side.

* What is added to pairs within a camera, m, is rounded with the sum: 8 w m a side hold that. A number a row, t,
  added at both ends, is in n and in all sums that follow: 32 w |t|.

Together, but for the last, less than ``(d / 32 + 190) w (h + e)^2`` a side of |D - D^|, of which u is half: below
``(d / 32 + 100) w`` of ``(h + e)^2``. Numbers so small that float32 holds them badly are covered by 2^-110.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
W = 2.0**-24


def quantise(x: Array) -> tuple[Array, Array, Array]:
    """(n, d) rows -> whole numbers q (n, d), steps s (n,), and the lengths e (n,) of what ``s q`` loses."""
    x = np.asarray(x, np.float64)
    top = np.abs(x).max(axis=1, initial=0)
    step = np.where(top > 0, top / 127, 1)
    q = np.rint(x / step[:, None])
    return q, step, np.linalg.norm(x - step[:, None] * q, axis=1)


def slacks(length: Array, lost: Array, width: int, turning: float = 0.0) -> Array:
    """(n,) u from h (n,), e (n,); ``turning``: t above."""
    lost = lost * (1 + 2.0**-30) + turning * length
    ratio = max(float(lost.mean()), 1e-30) / max(float(length.mean()), 1e-30)
    long = (length * (1 + turning) + lost) ** 2
    exactly = (lost**2 / ratio + ratio * long + lost**2) / 2
    return exactly + (1.1 * turning + (width / 32 + 100) * W) * long + 2.0**-110


def bounds(x: Array) -> tuple[Array, Array]:
    """(n, n) from below and from above, for all pairs of rows."""
    q, step, lost = quantise(x)
    length = np.linalg.norm(np.asarray(x, np.float64), axis=1)
    u = slacks(length, lost, np.shape(x)[1])
    about = length[:, None] ** 2 + length**2 - 2 * np.outer(step, step) * (q @ q.T)
    return about - 2 * u[:, None] - 2 * u, about + 2 * u[:, None] + 2 * u
