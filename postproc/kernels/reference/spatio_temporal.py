"""The spatio-temporal prior and the joint score, loop by loop."""

import math

import numpy as np

from postproc.kernels.reference.basic import Array, unit

Prior = dict[tuple[int, int], Array]  # (later camera, earlier camera) -> share of every bin


def time_prior(
    pid: Array, cam: Array, frame: Array, bin_frames: int, bins: int, sigma: float, cut: float = 3
) -> Prior:
    """Histograms of the gaps between mean frames, smoothed and summing to one."""
    counts: Prior = {}
    cameras = sorted({int(c) for c in cam if c >= 0})
    for person in {int(p) for p, d in zip(pid, cam, strict=True) if p >= 0 and d >= 0}:
        mean = {}
        first = min(int(f) for p, d, f in zip(pid, cam, frame, strict=True) if p == person and d >= 0)
        for c in cameras:
            frames = [int(f) for p, d, f in zip(pid, cam, frame, strict=True) if (p, d) == (person, c)]
            if frames:
                mean[c] = sum(f - first for f in frames) / (len(frames) + 1e-7)
        for low in mean:
            for high in mean:
                if low < high:
                    pair = (low, high) if mean[low] > mean[high] else (high, low)
                    place = int(abs(mean[low] - mean[high]) / bin_frames)
                    if place < bins:
                        counts.setdefault(pair, np.zeros(bins))[place] += 1
    return {pair: smooth(curve / (curve.sum() + 1e-7), sigma, cut) for pair, curve in counts.items()}


def smooth(curve: Array, sigma: float, cut: float) -> Array:
    """Convolve with a normal density that ends at ``cut`` sigma, and divide by the sum."""
    if sigma == 0:
        return curve
    out = np.zeros(len(curve))
    for i in range(len(curve)):
        for j in range(len(curve)):
            if abs(i - j) <= cut * sigma:
                density = math.exp(-((i - j) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
                out[i] += density * curve[j]
    return out / (out.sum() + 1e-7)


def spatio_temporal(
    query: Array, gallery: Array, cams: tuple[Array, Array], frames: tuple[Array, Array], prior: Prior,
    bin_frames: int, alpha: float, gammas: tuple[float, float] = (1, 2),
) -> Array:  # fmt: skip
    """One minus the joint score; of two images of one frame the gallery's is the later."""
    s = unit(query) @ unit(gallery).T
    out = np.zeros(s.shape)
    for i, (query_cam, query_frame) in enumerate(zip(cams[0], frames[0], strict=True)):
        for j, (gallery_cam, gallery_frame) in enumerate(zip(cams[1], frames[1], strict=True)):
            gap = int(query_frame) - int(gallery_frame)
            pair = (int(query_cam), int(gallery_cam)) if gap > 0 else (int(gallery_cam), int(query_cam))
            curve = prior.get(pair, np.zeros(0))
            place = abs(gap) // bin_frames
            p = curve[place] if place < len(curve) else 0.0
            looks = 1 / (1 + gammas[0] * math.exp(-alpha * s[i, j]))
            out[i, j] = 1 - looks / (1 + gammas[1] * math.exp(-alpha * p))
    return out
