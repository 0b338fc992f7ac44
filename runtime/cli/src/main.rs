//! The ocellus program.

fn main() {}
