//! Comes with the next commit.

fn main() {}
