#!/usr/bin/env bash
# Times established simulators beside ours, in one run on this machine: look-ups a second of one
# 64-entry 4-way LRU TLB (fully associative where a peer has no sets), on fixtures/traces/sqlite32.
#
# Peers that are not installed are named and left out:
#   cachegrind   valgrind; it simulates while it runs a program, here `sort`, with a D1 of 64 lines of
#                4096 bytes; its rate is accesses of that program a second, less valgrind's own start
#   libCacheSim  the Python package libcachesim (pip install libcachesim)
#   pycachesim   the Python package pycachesim (pip install pycachesim), module cachesim
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet -p pagefault-benches --bin tlb-throughput
target="${CARGO_TARGET_DIR:-target}"
echo "== pagefault, one core"
"$target/release/tlb-throughput"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
zstd -dqc fixtures/traces/sqlite32.lackey.zst >"$work/trace"

echo "== cachegrind --D1=262144,4,4096"
if command -v valgrind >/dev/null; then
    program=(sort -n "$work/numbers")
    seq 200000 -1 1 >"$work/numbers"
    start=$(date +%s%N)
    valgrind --tool=none --log-file=/dev/null "${program[@]}" >/dev/null
    none=$(($(date +%s%N) - start))
    start=$(date +%s%N)
    valgrind --tool=cachegrind --cache-sim=yes --D1=262144,4,4096 --I1=262144,4,4096 \
        --LL=1048576,4,4096 --cachegrind-out-file="$work/out" --log-file="$work/log" \
        "${program[@]}" >/dev/null
    all=$(($(date +%s%N) - start))
    refs=$(sed -n 's/.*\(D *refs\|I *refs\): *\([0-9,]*\).*/\2/p' "$work/log" | tr -d , | awk '{ sum += $1 } END { print sum }')
    awk -v refs="$refs" -v all="$all" -v none="$none" 'BEGIN {
        printf "%10.1f million/s  references, less what valgrind takes without it\n", refs * 1e3 / (all - none) }'
else
    echo "valgrind is not installed"
fi

echo "== libCacheSim"
if python3 -c 'import libcachesim' 2>/dev/null; then
    python3 - "$work/trace" <<'PY'
import sys, time
import libcachesim as lcs
pages = [int(l[3:l.index(",")], 16) >> 12 for l in open(sys.argv[1]) if l[0] == " "]
cache = lcs.LRU(64)
requests = [lcs.Request(obj_id=page, obj_size=1) for page in pages]
start = time.perf_counter()
misses = sum(not cache.get(request) for request in requests)
rate = len(pages) / (time.perf_counter() - start) / 1e6
print(f"{rate:10.1f} million/s  look-ups, fully associative, {misses} misses")
PY
else
    echo "the Python package libcachesim is not installed"
fi

echo "== pycachesim"
if python3 -c 'import cachesim' 2>/dev/null; then
    python3 - "$work/trace" <<'PY'
import sys, time
from cachesim import Cache, CacheSimulator, MainMemory
memory = MainMemory()
cache = Cache("TLB", 16, 4, 4096, "LRU")
memory.load_to(cache)
memory.store_from(cache)
simulator = CacheSimulator(cache, memory)
addresses = [int(l[3:l.index(",")], 16) for l in open(sys.argv[1]) if l[0] == " "]
start = time.perf_counter()
for address in addresses:
    simulator.load(address)
rate = len(addresses) / (time.perf_counter() - start) / 1e6
print(f"{rate:10.1f} million/s  look-ups, {cache.MISS_count} misses")
PY
else
    echo "the Python package pycachesim is not installed"
fi
