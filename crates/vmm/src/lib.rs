//! Windows' virtual memory calls as edits of x86 page-table entries.
