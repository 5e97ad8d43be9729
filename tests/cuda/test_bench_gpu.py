"""The bench for a GPU runs from end to end, at a size that the simulator can do; its clock is another one here."""

import sys
import time
from contextlib import contextmanager

import torch

from bench import gpu


class Clock(gpu.Stopwatch):
    @contextmanager
    def running(self):
        started = time.perf_counter()
        yield
        self.pairs.append((started, time.perf_counter()))

    def seconds(self):
        return sum(end - begin for begin, end in self.pairs)


def test_the_bench_says_what_it_measured(on_device, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu, "Stopwatch", Clock)
    monkeypatch.setattr(gpu, "SIZES", {"S": (4, 16, 8, 4), "tiny": (3, 12, 8, 4)})
    monkeypatch.setattr(gpu, "TOP_K", {"tiny": 3})
    monkeypatch.setattr(gpu, "RESULTS", tmp_path / "results")
    for name, value in {
        "is_available": True, "get_device_name": "Drawn GPU 1", "reset_peak_memory_stats": None,
        "max_memory_allocated": 3 * 10**9,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(sys, "argv", ["gpu", "--repeat", "1", "--cpu", "tiny"])
    gpu.main()
    said = capsys.readouterr().out
    assert "two runs agree to the bit" in said
    assert "tiny: 3 x 12 x 8, top_k=3" in said
    assert "rerank / product" in said
    assert "3.00 GB at most" in said
    (written,) = (tmp_path / "results").iterdir()
    assert written.name.endswith("-drawn-gpu-1.txt")
    assert written.read_text().splitlines() == said.splitlines()[:-1]
