#!/bin/sh
# From feature files, or pictures, to a ranking; of AI City's images to track2.txt.
#   sh run_track2.sh                                the embedded demo city, from nothing
#   sh run_track2.sh --features DIR [options]       your files; options: sh run_track2.sh --help
#   sh run_track2.sh --images                       a drawn city: pictures, features, ranking
#   sh run_track2.sh --images DIR [--model SPEC …]  your pictures; options: sh run_track2.sh --images --help
# The environment is made in .venv on the first call, with what the models need. PYTHON=python3.12 chooses the
# interpreter.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
. "$here/environment.sh"

pictures() {
    make_environment images report
    case "${1:-}" in
    "" | -[!h]* | --[!h]*) # none, but perhaps options
        city="$here/runs/images/city"
        "$python" -m ensemble.demo "$city" --images
        set -- --images "$city" --out "$here/runs/images/demo" "$@"
        ;;
    -h | --help) ;;
    *) set -- --images "$@" ;;
    esac
    extras=$("$python" -m extractors.rank --packages "$@")
    IFS=,
    # shellcheck disable=SC2086
    make_environment $extras
    unset IFS
    exec "$python" -m extractors.rank "$@"
}

if [ "${1:-}" = --images ]; then
    shift
    pictures "$@"
fi
make_environment report
if [ "$#" -gt 0 ]; then
    exec "$python" -m ensemble.run "$@"
fi
"$python" -m ensemble.demo "$here/demo"
exec "$python" -m ensemble.run --features "$here/demo" --recipe aicity2020_5th --out "$here/runs/demo" --report
