# Sourced by run_track2.sh and run_tests.sh: make_environment EXTRA... sets $python to that of a ready .venv.
# What is there is not installed again until pyproject.toml or constraints.txt changes.

make_environment() {
    python="$here/.venv/bin/python"
    ready="$here/.venv/ready"
    wanted=$(cat "$here/pyproject.toml" "$here/constraints.txt" | cksum)
    missing=
    for extra in "$@"; do
        if [ ! -x "$python" ] || [ ! -f "$ready/$extra" ] || [ "$(cat "$ready/$extra")" != "$wanted" ]; then
            missing="$missing,$extra"
        fi
    done
    missing=${missing#,}
    [ -n "$missing" ] || return 0
    base=${PYTHON:-python3}
    if ! "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "python: wanted 3.11 or newer as '$base', found $("$base" --version 2>&1 || true); set PYTHON=python3.12, say" >&2
        exit 2
    fi
    echo "installing what is needed for $missing into $here/.venv (once) ..." >&2
    [ -x "$python" ] || "$base" -m venv "$here/.venv"
    # Compiling all modules of all packages takes longer than the rest; those in use are compiled as they are used.
    compile=--no-compile
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || compile=--compile
    if ! "$python" -m pip install --quiet --disable-pip-version-check "$compile" \
        --constraint "$here/constraints.txt" --editable "$here[$missing]" >&2; then
        lacking=$("$python" -m postproc.base.extras "$missing" 2>/dev/null || echo "$missing")
        if [ -n "$lacking" ]; then
            echo "packages: wanted those of [$missing] in $here/.venv, found that pip cannot install them (why stands" >&2
            echo "above); install these there as your machine needs them, then run the same again: $lacking" >&2
            exit 2
        fi
    fi
    mkdir -p "$ready"
    case ",$missing," in *,test,*) missing="$missing,metric,tune,parquet,report,completion,tracking,tensorboard,images,onnx,torch,cnn" ;; esac
    for extra in $(echo "$missing" | tr , ' '); do
        echo "$wanted" > "$ready/$extra"
    done
}
