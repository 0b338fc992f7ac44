//! One file per verb: what a developer does with this repository.

fn main() {}
