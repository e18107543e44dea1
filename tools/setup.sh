#!/bin/sh
# Makes the virtual environment that the Makefile runs in: tools/setup.sh PYTHON VENV EXTRAS
# System packages are installed only when missing, and only as root or by `sudo -n`; otherwise the line to type is shown.
set -eu
python=$1
venv=$2
extras=$3

fail() {
    printf '\nset-up: %s\n' "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 || fail "no $python here; install Python 3.11, or: make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old for the pinned packages; give another: make PYTHON=python3.11"

missing=""
need() { # need SONAME PACKAGE: what the open3d and opencv wheels link against but do not carry
    printf '%s' "$libraries" | grep -q "$1" || missing="$missing $2"
}
if [ "$(uname -s)" = Linux ]; then
    libraries=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
    need libEGL.so.1 libegl1
    need libGL.so.1 libgl1
    need libX11.so.6 libx11-6
    need libudev.so.1 libudev1
    need libusb-1.0.so.0 libusb-1.0-0
    need libidn2.so.0 libidn2-0
    need libgomp.so.1 libgomp1
    need libglib-2.0.so.0 libglib2.0-0
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || # Debian and Ubuntu pack these apart
    missing="$missing $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"

if [ -n "$missing" ]; then
    line="apt-get update && apt-get install -y --no-install-recommends$missing"
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "these are missing (Debian names):$missing; install them with your package manager and run make again"
    elif [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive sh -c "$line" || fail "could not install:$missing; type: $line"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n env DEBIAN_FRONTEND=noninteractive sh -c "$line" || fail "could not install:$missing; type: sudo sh -c '$line'"
    else
        fail "system packages are missing; type this, then run make again:
    sudo sh -c '$line'"
    fi
fi

"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv" ||
    fail "could not make $venv; remove it and run make again"
"$venv/bin/python" -m pip install --disable-pip-version-check -c constraints.txt -e ".$extras" ||
    fail "installing failed; see pip's message above"
