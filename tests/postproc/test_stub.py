"""What a typed caller of postproc sees."""

from tests.support import stub, typed

CALLER = """
import numpy as np
from numpy.typing import NDArray
from postproc import (
    Nearest,
    camera_penalty,
    camera_whitening,
    complete_cameras,
    hamming,
    learned_distances,
    query_expansion,
    rerank,
    sqeuclidean,
    track_distances,
    weighted_track_mean,
    whiten,
)

x: NDArray[np.float32] = np.eye(3, dtype=np.float32)
all_distances: NDArray[np.float32] = rerank(x, x, k1=2)
nearest: Nearest = rerank(sqeuclidean(x, x), top_k=2)
rows: NDArray[np.int32] = hamming(x, x, top_k=1).rows


def either(top_k: int | None) -> NDArray[np.float32] | Nearest:
    return rerank(x, x, top_k=top_k)


cam = np.arange(3)
one: NDArray[np.float32] = query_expansion(x, k=2)
query, gallery = query_expansion(x, x, k=2)
fitted: NDArray[np.float32] = whiten(x, train=x)
by_camera: NDArray[np.float32] = camera_whitening(x, query_cam=cam, ridge=0.2)
penalised: NDArray[np.float32] = camera_penalty(rerank(x), cam, penalty=0.5)
of_tracks: NDArray[np.float32] = track_distances(x, gallery_track=cam)
lists: Nearest = learned_distances(x, train=x, train_pid=cam, top_k=2)
means: NDArray[np.float32] = weighted_track_mean(x, gallery_track=cam)
cameras: NDArray[np.integer] = complete_cameras(cam, query_track=cam)
several: tuple[NDArray[np.integer], NDArray[np.integer]] = complete_cameras(cam, cam, cam, cam)

rerank(x, x).rows  # wrong
rerank(x, x, top_k=2).mean()  # wrong
rerank(x, x, k1="many")  # wrong
query_expansion(x, x).mean()  # wrong
camera_whitening(x)  # wrong
complete_cameras(cam, cam, cam, None)  # wrong
track_distances(x)  # wrong
"""


def test_the_stub_is_that_of_the_functions():
    assert stub.FILE.read_text() == stub.stub(), f"write it anew: {stub.COMMAND}"


def test_a_typed_caller_needs_no_assert_and_is_told_what_is_wrong(tmp_path):
    wrong, said = typed.checked(CALLER, tmp_path)
    assert wrong == {at for at, line in enumerate(CALLER.splitlines(), 1) if "# wrong" in line}, said
