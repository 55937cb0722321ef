//! A gdb remote server over a machine.
