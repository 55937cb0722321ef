//! The TLBs of real processors.
