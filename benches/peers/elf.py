"""Makes a static 32-bit Linux program of a workload blob: for the host itself, and for qemu-i386."""

import platform
import struct
import subprocess
import tempfile
from pathlib import Path

CODE, CODE_BYTES = 0x0040_0000, 0x1_0000
STACK, STACK_BYTES, STACK_TOP = 0x0050_0000, 0x4_0000, 0x0053_FF00
DATA, DATA_BYTES = 0x0100_0000, 32 << 20
STUB = 0x0030_0000
HEADER_BYTES, SEGMENT_BYTES = 52, 32
READ_WRITE, READ_WRITE_EXECUTE = 6, 7


def program(blob, n, arg, reps):
    """Returns an ELF file that calls init, then run `reps` times, and writes EAX to stdout."""
    stub = assemble(n, arg, reps)
    segments = [
        (STUB, stub, 0x1000, READ_WRITE_EXECUTE),
        (CODE, blob, CODE_BYTES, READ_WRITE_EXECUTE),
        (STACK, b"", STACK_BYTES, READ_WRITE),
        (DATA, b"", DATA_BYTES, READ_WRITE),
    ]
    offset = 0x1000
    headers, body = b"", b""
    for address, content, size, flags in segments:
        headers += struct.pack(
            "<8I", 1, offset, address, address, len(content), size, flags, 0x1000
        )
        padded = content + bytes(-len(content) % 0x1000)
        body += padded
        offset += len(padded)
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH",
        2, 3, 1, STUB, HEADER_BYTES, 0, 0,
        HEADER_BYTES, SEGMENT_BYTES, len(segments), 0, 0, 0,
    )
    return (header + headers).ljust(0x1000, b"\0") + body


def assemble(n, arg, reps):
    """The calls, by the blobs' contract; EBP counts, which they keep."""
    code = b"\xbc" + struct.pack("<I", STACK_TOP)  # mov esp, STACK_TOP

    def call(target):
        nonlocal code
        code += b"\x68" + struct.pack("<I", arg)  # push arg
        code += b"\x68" + struct.pack("<I", n)  # push n
        code += b"\xe8" + struct.pack("<i", target - (STUB + len(code) + 5))
        code += b"\x83\xc4\x08"  # add esp, 8

    call(CODE + 0x10)
    if reps:
        code += b"\xbd" + struct.pack("<I", reps)  # mov ebp, reps
        start = len(code)
        call(CODE)
        code += b"\x4d\x0f\x85"  # dec ebp; jnz start
        code += struct.pack("<i", start - (len(code) + 4))
    # push eax; write(1, esp, 4); exit(0)
    code += bytes.fromhex("50 b804000000 bb01000000 89e1 ba04000000 cd80")
    code += bytes.fromhex("b801000000 31db cd80")
    return code


def runs_natively():
    """Tells whether the host runs such programs."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "i686"):
        return False
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "probe"
        # ret, in place of run and of init.
        path.write_bytes(program(b"\xc3" * 32, 1, 0, 1))
        path.chmod(0o755)
        try:
            done = subprocess.run([str(path)], capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0 and len(done.stdout) == 4
