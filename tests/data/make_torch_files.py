"""Make the torch files that the tests read without torch: ``python make_torch_files.py`` (torch 2.13, NumPy 2).

Every value follows from its place, so that the tests can state what they expect.
"""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent / "torch"


def tensors() -> dict:
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        "matrix": base,
        "transposed": base.t()[1:],  # a view with an offset that is not contiguous
        "half": base.half(),
        "bfloat16": torch.tensor([1.0, -2.5, 3.140625, 1e30], dtype=torch.bfloat16),
        "double": base.double() / 3,
        "labels": torch.tensor([3, -1, 2**40]),
        "flags": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(base + 1),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "shape": base.shape,
        "number": 7,
    }


def light_reid(as_list: bool) -> dict:
    query, gallery = (
        np.arange(1, 9, dtype=np.float32).reshape(2, 4),
        np.arange(9, 21, dtype=np.float32).reshape(3, 4),
    )
    return {
        "query_feats": [query[:1], query[1:]] if as_list else query,
        "query_pids": [5, 6] if as_list else np.array([5, 6]),
        "query_camids": np.array([0, 1]),
        "gallery_feats": [gallery[:2], gallery[2:]] if as_list else gallery,
        "gallery_pids": np.array([6, 5, -1]),
        "gallery_camids": np.array([1, 0, 2]),
    }


def named(count: int) -> OrderedDict:
    rows = torch.arange(1, 1 + 4 * count, dtype=torch.float32).reshape(count, 4)
    return OrderedDict((f"{number:06d}.jpg", rows[number - 1]) for number in range(count, 0, -1))


def main() -> None:
    torch.manual_seed(0)
    HERE.mkdir(exist_ok=True)
    layouts = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}
    for layout, options in layouts.items():
        torch.save(tensors(), HERE / f"tensors_{layout}.pth", **options)
        torch.save(named(2), HERE / f"query_{layout}.pt", **options)
        torch.save(named(3), HERE / f"gallery_{layout}.pt", **options)
    torch.save(light_reid(as_list=False), HERE / "Market1501_features.pkl")
    torch.save(light_reid(as_list=True), HERE / "DukeMTMC_features.pkl", _use_new_zipfile_serialization=False)
    torch.save(torch.arange(8, dtype=torch.float32).reshape(2, 4) + 1, HERE / "array.pt")
    torch.save(torch.nn.Linear(2, 2, bias=False).state_dict(), HERE / "weights.pth")
    torch.save(torch.nn.Linear(2, 2, bias=False), HERE / "module.pth")
    with (HERE / "plain_pickle.pkl").open("wb") as file:
        pickle.dump({"000001.jpg": torch.ones(2)}, file, protocol=2)


if __name__ == "__main__":
    main()
