//! Tideline.
fn main() {}
