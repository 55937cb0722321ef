"""unicorn_peer.py BLOB N ARG REPS KIND: a workload on Unicorn's flat memory, by the contract of the
runner. W8 takes its hook for page faults. Memory that is mapped page by page, as for W9, it slows
down with every page, and there is no memory manager for W8v and W9v."""

import sys
import time

from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_MEM_WRITE_PROT,
    UC_MODE_32,
    UC_PROT_ALL,
    UC_PROT_READ,
    UC_PROT_WRITE,
    Uc,
)
from unicorn.x86_const import UC_X86_REG_EAX, UC_X86_REG_ESP

CODE, CODE_BYTES = 0x0040_0000, 0x1_0000
STACK, STACK_BYTES, STACK_TOP = 0x0050_0000, 0x4_0000, 0x0053_FF00
RETURN = 0x0040_FFF0
DATA, DATA_BYTES = 0x0100_0000, 32 << 20
PAGE = 0x1000


def main():
    blob, n, arg, reps, kind = sys.argv[1:6]
    n, arg, reps = int(n), int(arg), int(reps)
    if kind not in ("plain", "w8"):
        sys.exit(f"unicorn has no {kind}")
    machine = Uc(UC_ARCH_X86, UC_MODE_32)
    machine.mem_map(CODE, CODE_BYTES, UC_PROT_ALL)
    machine.mem_map(STACK, STACK_BYTES, UC_PROT_READ | UC_PROT_WRITE)
    machine.mem_map(DATA, DATA_BYTES, UC_PROT_READ | UC_PROT_WRITE)
    with open(blob, "rb") as file:
        machine.mem_write(CODE, file.read())
    machine.hook_add(UC_HOOK_MEM_WRITE_PROT, swap_protections)
    call(machine, CODE + 0x10, n, arg)
    for _ in range(reps + 1):
        if kind == "w8":
            machine.mem_protect(DATA, PAGE, UC_PROT_READ)
            machine.mem_protect(DATA + PAGE, PAGE, UC_PROT_READ | UC_PROT_WRITE)
        before = time.process_time_ns()
        checksum = call(machine, CODE, n, arg)
        print(f"T {time.process_time_ns() - before} {checksum:08x}")


def call(machine, entry, n, arg):
    frame = b"".join(word.to_bytes(4, "little") for word in (RETURN, n, arg))
    machine.mem_write(STACK_TOP, frame)
    machine.reg_write(UC_X86_REG_ESP, STACK_TOP)
    machine.emu_start(entry, RETURN)
    return machine.reg_read(UC_X86_REG_EAX)


def swap_protections(machine, access, address, size, value, data):
    page = address & ~(PAGE - 1)
    machine.mem_protect(page, PAGE, UC_PROT_READ | UC_PROT_WRITE)
    machine.mem_protect(page ^ PAGE, PAGE, UC_PROT_READ)
    return True


if __name__ == "__main__":
    main()
