//! An IA-32 interpreter whose every access goes through a modelled MMU.
