"""exp, log and erfc without a branch and without a call, so that a loop of them runs in vector registers.

To 12 digits, or what float32 has. What is used of them ends in float32.
"""

import numpy as np

from postproc.kernels.compiled import compiled

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = (
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
)  # whole multiples of the first are exact
WHOLE = 6755399441055744.0  # 1.5 * 2^52: a number added to it is rounded, and stands in its last bits
LN2 = 0.6931471805599453
HALF_ROOT, PLACES = np.int32(0x3F3504F3), np.int32(23)  # the bits of sqrt(1/2) as float32; of its fraction
SMALLEST = -708.0  # below it exp is 0 here
SINGLE_LOG2_E, SINGLE_WHOLE = np.float32(LOG2_E), np.float32(12582912.0)  # the same for float32: 1.5 * 2^23
SINGLE_HIGH, SINGLE_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
SINGLE_SMALLEST = np.float32(-86.0)
SINGLE = [
    1.382822752930224e-3,
    8.375599049031734e-3,
    4.1668426245450974e-2,
    0.16666410863399506,
    0.49999991059303284,
]
P6, P5, P4, P3, P2 = np.array(SINGLE, np.float32)  # of exp, fitted where abs(r) <= ln 2 / 2
L3, L5, L7, L9, L11 = 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11  # of atanh
NONE, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
SINGLE_FAR = np.float32(9.5)  # from here on erfc is 0 in float32
ERFC = [
    -4.1366639197804034e-4, -1.249643275514245e-3, 1.319394912570715e-3, 8.648574352264404e-3,
    -8.059423416852951e-3, -5.420894920825958e-2, 0.1640550196170807, -0.16603100299835205,
    -9.276396781206131e-2, 1.2769783735275269,
]  # fmt: skip
Q9, Q8, Q7, Q6, Q5, Q4, Q3, Q2, Q1, Q0 = np.array(ERFC, np.float32)


@compiled
def exp_below(x):
    """exp(x) of a float64 of 0 or less, -inf too: x = n ln 2 + r, and Taylor's polynomial of r."""
    within = max(x, SMALLEST)
    moved = within * LOG2_E + WHOLE
    n = moved - WHOLE
    r = (within - n * LN2_HIGH) - n * LN2_LOW
    p = 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    power = np.float64(moved).view(np.int64) << 52  # n, in the place of the exponent
    found = np.int64(np.float64(p).view(np.int64) + power).view(np.float64)
    return found if x >= SMALLEST else 0.0


@compiled
def single_exp_below(x):
    """exp(x) of a float32 of 0 or less, -inf too, to one or two steps of float32; in the same way."""
    within = max(x, SINGLE_SMALLEST)
    moved = within * SINGLE_LOG2_E + SINGLE_WHOLE
    n = moved - SINGLE_WHOLE
    r = (within - n * SINGLE_HIGH) - n * SINGLE_LOW
    p = ((((P6 * r + P5) * r + P4) * r + P3) * r + P2) * r + ONE
    p = p * r + ONE
    power = np.int32(np.float32(moved).view(np.int32) << 23)
    found = np.int32(np.float32(p).view(np.int32) + power).view(np.float32)
    return found if x >= SINGLE_SMALLEST else NONE


@compiled
def log_of_single(x):
    """log(x) of a float32 that is 0, for -inf, or a normal number above it, to 10 digits behind the point.

    ``x = 2^n m``, m from sqrt(1/2) to sqrt(2), and ``log m = 2 atanh((m - 1) / (m + 1))`` by its series.
    """
    bits = np.float32(x).view(np.int32)
    n = np.int32(np.int32(bits - HALF_ROOT) >> PLACES)
    m = np.float64(np.int32(bits - np.int32(n << PLACES)).view(np.float32))
    s = np.divide(m - 1.0, m + 1.0)
    z = s * s
    p = ((((L11 * z + L9) * z + L7) * z + L5) * z + L3) * z + 1.0
    return n * LN2 + 2 * s * p if x > NONE else -np.inf


@compiled
def single_erfc_of(x):
    """erfc(x) of a float32, in the same way; to about 1e-5 of itself where it is smallest."""
    z = min(abs(x), SINGLE_FAR)
    t = np.divide(z - TWO, z + TWO)
    p = ((((Q9 * t + Q8) * t + Q7) * t + Q6) * t + Q5) * t + Q4
    p = (((p * t + Q3) * t + Q2) * t + Q1) * t + Q0
    found = single_exp_below(-z * z) * np.divide(p, ONE + TWO * z)
    return TWO - found if x < NONE else found
