#!/usr/bin/env bash
# Runs the interpreter workloads on our runner and on the peers that are installed, in one session,
# and prints nanoseconds of CPU time per unit and the ratio to ours. Peers that are absent are named.
#
#   benches/compare.sh [WORKLOAD…]      W1 W2 W3/16 … W10; all without an argument
#   ROUNDS=5 benches/compare.sh         rounds; in each, every peer runs once (default 3)
#   PYTHON=venv/bin/python …            the Python whose Unicorn package is meant
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
if ! command -v "$python" >/dev/null; then
    echo "compare.sh needs Python 3 to measure processes; set PYTHON to one" >&2
    exit 2
fi
cargo build --release --quiet -p pagefault-benches --bin workload
target="${CARGO_TARGET_DIR:-target}"
export PYTHONDONTWRITEBYTECODE=1
exec "$python" benches/peers/compare.py "$target/release/workload" "$@"
