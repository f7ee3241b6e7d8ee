//! Tideline.
