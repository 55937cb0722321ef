//! pagefault-benches
