//! pagefault-tests
