#!/usr/bin/env bash
# Installs what the tests need on a Debian machine with Python and pip, then runs them all:
#     bash tests/run.sh
# Needs no display and no GPU. PYTHON=python3.13 picks the interpreter. Exits non-zero when anything fails.
set -euo pipefail
cd "$(dirname "$0")/.."

LIBRARIES=(
    libgl1 libegl1 libglib2.0-0 libdbus-1-3 libxkbcommon0 libfontconfig1 libgssapi-krb5-2 libxcb-cursor0
    libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0 xvfb xauth
)
VENV=.venv-tests
TIMES=()
FAILED=()

# stage NAME COMMAND...: runs the command, notes how long it took and whether it failed.
stage() {
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s ===\n' "$name"
    "$@" || FAILED+=("$name")
    TIMES+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
    printf '=== %s: %d s ===\n' "$name" $((SECONDS - start))
}

stop() {
    printf '\n%s\n' "$1" >&2
    exit 1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
}

missing_libraries() {
    local library
    for library in "${LIBRARIES[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$library" 2>/dev/null | grep -q '^ii' || printf '%s ' "$library"
    done
    "$python" -c 'import ensurepip' 2>/dev/null || printf 'python3-venv '
}

install_libraries() {
    local missing
    missing=$(missing_libraries)
    if [ -z "$missing" ]; then
        echo 'Every system library is here already.'
        return
    fi
    [ "$(id -u)" -eq 0 ] || stop "These system packages are missing, and only root can install them: $missing"
    apt-get update -qq || return
    # shellcheck disable=SC2086  # one word per package is meant
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $missing
}

install_tox() {
    "$python" -m venv "$VENV" || return
    "$VENV/bin/pip" install --quiet --disable-pip-version-check 'tox>=4.28'
}

tox_run() {
    "$VENV/bin/tox" run -e "$@"
}

python=$(find_python)
[ -n "$python" ] || stop 'Python 3.11 or later is needed: install it, or name one with PYTHON=/path/to/python3.'
napari_env=$("$python" -c 'import sys; print("py%d%d" % sys.version_info[:2])')

stage 'system libraries' install_libraries
stage 'tox' install_tox
[ ${#FAILED[@]} -eq 0 ] || stop "Set-up failed: ${FAILED[*]}. The tests did not run."

stage 'lint' tox_run lint
stage "tests of the window, napari and Qt installed ($napari_env)" \
    env QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 \
    xvfb-run -a -s '-screen 0 1600x1000x24 -nolisten tcp' "$VENV/bin/tox" run -e "$napari_env" -- tests/gui tests/plugin
stage 'every other test, without napari and Qt (core)' tox_run core

printf '\n'
printf '%s\n' "${TIMES[@]}"
printf '%5d s  in all\n' "$SECONDS"
[ ${#FAILED[@]} -eq 0 ] || stop "Failed: $(printf '%s; ' "${FAILED[@]}" | sed 's/; $//')"
