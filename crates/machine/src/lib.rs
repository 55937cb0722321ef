//! A 32-bit Windows process on an emulated MMU: loader, API calls, exceptions.
