//! Physical memory, page tables, TLB and page faults of a 32-bit x86 MMU.
