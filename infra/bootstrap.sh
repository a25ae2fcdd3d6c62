#!/bin/sh
# Make this checkout ready to run: a Python environment by the lock file, and the local broker's jars.
#
#   infra/bootstrap.sh          what `make run` needs
#   infra/bootstrap.sh engines  and Spark beside it, and Flink in an environment of its own
#   infra/bootstrap.sh dev      and what `make test` needs beside
#
# Needs Python 3.11 or newer, a JDK 17 or newer, and Maven. Everything is written inside the checkout. What was done is
# stamped last, so a try that was killed is done again, and one that was finished costs a moment.
set -eu

UV_RELEASE=0.13.8
VENV=.venv
FLINK_VENV=.venv-flink
TOOLS=.venv-tools
STAMP=$VENV/.headwater-stamp
SYNCING=.venv-syncing

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }

cd "$(dirname "$0")/.."
kind=${1:-run}
# What the caller has activated or exported is not for this environment.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH UV_PROJECT_ENVIRONMENT UV_PYTHON UV_EXTRA_INDEX_URL 2>/dev/null || true

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null 2>&1 && fits "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    found='no python3 on the PATH'
    if command -v python3 >/dev/null 2>&1; then found=$(python3 --version 2>&1 || true); fi
    fail "no fitting Python: $found" "needed: Python 3.11, 3.12 or 3.13" \
        "try: install one (Debian 12: apt install python3 python3-venv), or PYTHON=/path/to/python make ..."
}

check_java() {
    java=java
    if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
    command -v "$java" >/dev/null 2>&1 || fail "Java is missing (looked for $java)" "needed: a JDK 17 or newer" \
        "try: install one (Debian: apt install openjdk-17-jdk-headless), or point JAVA_HOME at one"
    shown=$("$java" -version 2>&1) || fail "$java cannot be run: $shown"
    major=$(printf '%s\n' "$shown" | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
    [ "${major:-0}" -ge 17 ] || fail "Java is too old: $(printf '%s\n' "$shown" | head -n 1)" "needed: 17 or newer, at $java" \
        "try: install one (Debian: apt install openjdk-17-jdk-headless), or point JAVA_HOME at one"
    command -v mvn >/dev/null 2>&1 || fail "Maven is missing" "needed: mvn on the PATH" \
        "try: install it (Debian: apt install maven)"
}

# One setup at a time in a checkout; the lock is let go of when this script ends, however it ends.
lock() {
    exec 9>.venv-lock || fail "cannot write into $(pwd)" "try: a checkout of your own"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

install_uv() {
    if [ "$("$TOOLS/bin/uv" --version 2>/dev/null | cut -d ' ' -f 2)" = "$UV_RELEASE" ]; then return; fi
    say "installing uv $UV_RELEASE into $TOOLS"
    rm -rf "$TOOLS"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python has no venv" \
        "try: install it (Debian: apt install python3-venv)"
    "$python" -m venv "$TOOLS"
    "$TOOLS/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_RELEASE" ||
        fail "pip could not install uv $UV_RELEASE" "try: see whether pip reaches its package index, then again"
}

sync_environment() {
    # An environment that a killed try left may hold half a package: made anew, from uv's cache.
    if [ -e "$SYNCING" ] || ! "$VENV/bin/python" -c '' 2>/dev/null; then rm -rf "$VENV"; fi
    : >"$SYNCING"
    say "installing the Python environment ($kind); the first time takes some minutes"
    rm -f "$STAMP"
    case $kind in
        dev) set -- --extra spark --group dev --group peers ;;
        engines) set -- --extra spark --inexact ;;
        *) set -- --inexact ;;
    esac
    sync "$VENV" --extra main "$@"
}

# PyFlink caps pyarrow below what the rest needs: Flink's jobs run in an environment of their own.
sync_flink() {
    if ! "$FLINK_VENV/bin/python" -c '' 2>/dev/null; then rm -rf "$FLINK_VENV"; fi
    say "installing Flink's environment; the first time takes some minutes"
    sync "$FLINK_VENV" --extra flink
}

sync() {
    target=$1
    shift
    UV_PROJECT_ENVIRONMENT=$target "$TOOLS/bin/uv" sync --quiet --frozen --no-python-downloads --python "$python" "$@" ||
        fail "the Python environment $target could not be installed" \
            "try: see whether the package index answers and the disk has 5 GB of room, then again"
}

python=$(find_python)
check_java
lock

# The environment holds absolute paths, so a moved checkout makes it anew.
wanted="$(cat uv.lock pyproject.toml infra/kafka/pom.xml | cksum) $UV_RELEASE $(pwd)"
if [ -f "$STAMP" ] && [ ! -e "$SYNCING" ] && "$VENV/bin/python" -c '' 2>/dev/null; then
    stamped=$(cat "$STAMP")
    # What tests need holds what engines need, and that what a run needs.
    if [ "$stamped" = "dev $wanted" ] || [ "$stamped" = "$kind $wanted" ]; then exit 0; fi
    if [ "$kind" = run ] && [ "$stamped" = "engines $wanted" ]; then exit 0; fi
    case $stamped in *" $(pwd)") ;; *) rm -rf "$VENV" "$FLINK_VENV" ;; esac
fi
install_uv
sync_environment
if [ "$kind" != run ]; then sync_flink; fi
"$VENV/bin/python" -m infra.main --home .headwater up --prepare >&2
rm -f "$SYNCING"
printf '%s' "$kind $wanted" >"$STAMP.tmp"
mv "$STAMP.tmp" "$STAMP"
say "ready"
