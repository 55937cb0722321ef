//! A MASM-dialect assembler: source to image, listing and diagnostics.
