"""Measures workloads on our runner and on its peers, interleaved, and prints a table."""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import elf

HERE = Path(__file__).resolve().parent
BLOBS = HERE.parent / "workloads"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
# After which a process has all the memory that it wants.
SETTLING_SECONDS = 0.3
# Repetitions of a workload inside one process.
REPS = 3

# Name, blob, n, arg, kind, units per run.
WORKLOADS = [
    ("W1", "w1_alu", 5_000_000, 0, "plain", 10 * 5_000_000),
    ("W2", "w2_rmw", 300, 0, "plain", 16_384 * 300),
    ("W3/16", "w3_stride", 50_000, 16, "plain", 50_000 * 16),
    ("W3/64", "w3_stride", 12_500, 64, "plain", 12_500 * 64),
    ("W3/512", "w3_stride", 1_500, 512, "plain", 1_500 * 512),
    ("W3/4096", "w3_stride", 200, 4096, "plain", 200 * 4096),
    ("W4", "w4_chase", 1_000_000, 0, "plain", 1_000_000),
    ("W5a", "w5a_movsd", 1_000, 0, "plain", 16_384 * 1_000),
    ("W5b", "w5b_copy", 200, 0, "plain", 16_384 * 200),
    ("W6a", "w6a_bubble", 1, 0, "plain", 79_802_100),
    ("W8", "w8_fault", 20_000, 0, "w8", 20_000),
    ("W9", "w9_touch", 2_560, 0, "w9", 2_560),
    ("W8v", "w8_fault", 20_000, 0, "w8v", 20_000),
    ("W9v", "w9_touch", 2_560, 0, "w9v", 2_560),
]
# From the start of a process to its exit.
START = ("W10", "w10_start", 1, 0, "plain")


def main():
    runner = Path(sys.argv[1]).resolve()
    wanted = set(sys.argv[2:])
    unknown = wanted - {workload[0] for workload in WORKLOADS} - {START[0]}
    if unknown:
        sys.exit(f"unknown workload {', '.join(sorted(unknown))}")
    peers, absent = find_peers(runner)
    for name, reason in absent:
        print(f"{name}: skipped, {reason}")
    names = [name for name, _ in peers]
    print(f"{ROUNDS} rounds, medians; nanoseconds of CPU time per unit, and times ours")
    print(f"{'':8}" + "".join(f"{name:>20}" for name in names))
    for workload in WORKLOADS:
        if not wanted or workload[0] in wanted:
            print(row(workload, peers), flush=True)
    if not wanted or START[0] in wanted:
        start(runner)


def find_peers(runner):
    """Returns the peers as name and function, ours first, and those that cannot be measured."""
    peers = [("pagefault", lambda *args: run_lines([str(runner)], *args))]
    absent = []
    if elf.runs_natively():
        peers.append(("native", lambda *args: run_elf([], *args)))
    else:
        absent.append(("native", "this host does not run 32-bit x86 programs"))
    qemu = shutil.which("qemu-i386") or shutil.which("qemu-i386-static")
    if qemu:
        peers.append(("qemu-i386", lambda *args: run_elf([qemu], *args)))
    else:
        absent.append(("qemu-i386", "not installed"))
    if importlib.util.find_spec("unicorn"):
        command = [sys.executable, str(HERE / "unicorn_peer.py")]
        peers.append(("unicorn", lambda *args: run_lines(command, *args)))
    else:
        absent.append(("unicorn", "its Python package is not installed"))
    bochs = "it boots disk images, and there is none with the workloads"
    absent.append(("bochs", bochs if shutil.which("bochs") else "not installed"))
    return peers, absent


def row(workload, peers):
    name, blob, n, arg, kind, units = workload
    figures = {peer: [] for peer, _ in peers}
    checksums = set()
    for _ in range(ROUNDS):
        for peer, measure in peers:
            measured = measure(BLOBS / f"{blob}.bin", n, arg, kind)
            if measured is not None:
                nanoseconds, checksum = measured
                figures[peer].append(nanoseconds / units)
                checksums.add(checksum)
    if len(checksums) != 1:
        sys.exit(f"{name}: the peers do not agree on the result: {sorted(checksums)}")
    ours = statistics.median(figures[peers[0][0]])
    cells = []
    for peer, _ in peers:
        if figures[peer]:
            figure = statistics.median(figures[peer])
            cells.append(f"{figure:10.3f} {figure / ours:8.2f}x")
        else:
            cells.append(f"{'-':>20}")
    return f"{name:8}" + "".join(f"{cell:>20}" for cell in cells)


def run_lines(command, blob, n, arg, kind):
    """Runs a peer that speaks the runner's contract; its first line is the warm-up."""
    arguments = [str(blob), str(n), str(arg), str(REPS), kind]
    done = subprocess.run(command + arguments, capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("T ")]
    if done.returncode != 0 or len(lines) < 2:
        return None
    times = [int(line[1]) for line in lines[1:]]
    return statistics.median(times), lines[-1][2]


def run_elf(prefix, blob, n, arg, kind):
    """Runs a workload as a Linux program; what a process with only the warm-up costs is taken off."""
    if kind != "plain":
        return None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "workload"
        costs = []
        for reps in (1, REPS + 1):
            path.write_bytes(elf.program(blob.read_bytes(), n, arg, reps))
            path.chmod(0o755)
            nanoseconds, output = process(prefix + [str(path)])
            costs.append(nanoseconds)
        checksum = f"{int.from_bytes(output, 'little'):08x}"
        return (costs[1] - costs[0]) / REPS, checksum


def start(runner):
    """CPU time and memory of whole processes."""
    name, blob, n, arg, kind = START
    command = [str(runner), str(BLOBS / f"{blob}.bin"), str(n), str(arg)]
    runs = [process([*command, "0", kind])[0] for _ in range(max(ROUNDS, 5))]
    milliseconds = statistics.median(runs) / 1e6
    line = f"{name:8}{milliseconds:10.2f} ms CPU from start to exit"
    mebibytes = peak_resident([*command, str(2**32 - 1), kind])
    print(line if mebibytes is None else f"{line}, {mebibytes:.1f} MiB resident")


def peak_resident(command):
    """Returns the peak resident MiB of a process that is stopped on its way, where the host tells.

    The usage that a parent gets counts, before exec, the parent itself.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLING_SECONDS)
        status = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    except OSError:
        return None
    finally:
        child.kill()
        child.wait()
    peak = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(peak[0]) / 1024 if peak else None


def process(command):
    """Runs a process; returns its CPU time in nanoseconds, and its output."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {child.returncode}")
        out.seek(0)
        seconds = usage.ru_utime + usage.ru_stime
        return seconds * 1e9, out.read()


if __name__ == "__main__":
    main()
