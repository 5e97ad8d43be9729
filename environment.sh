# Sourced by run_track2.sh and run_tests.sh: make_environment EXTRAS sets $python to that of a ready .venv.
# Nothing is installed again until pyproject.toml or constraints.txt changes.

make_environment() {
    python="$here/.venv/bin/python"
    wanted=$(cat "$here/pyproject.toml" "$here/constraints.txt" | cksum)
    for stamp in "$here/.venv/ready[test]" "$here/.venv/ready$1"; do  # the one with tests serves both
        if [ -x "$python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
            return
        fi
    done
    base=${PYTHON:-python3}
    if ! "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "python: wanted 3.11 or newer as '$base', found $("$base" --version 2>&1 || true); set PYTHON=python3.12, say" >&2
        exit 2
    fi
    echo "making the environment in $here/.venv (once) ..." >&2
    [ -x "$python" ] || "$base" -m venv "$here/.venv"
    "$python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$here/constraints.txt" --editable "$here$1" >&2
    echo "$wanted" > "$stamp"
}
