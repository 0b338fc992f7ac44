//! Memory in order before it is used in another.
//!
//! A core fetches lines of cache ahead where they are used one after the other, and waits for each where a kernel goes
//! over pixels and takes a few channels of each.

/// Bytes of a line, on every 64-bit ARM core that boards have.
pub const LINE: usize = 64;

/// From how many bytes on: what is smaller the second-level cache has, and that is near enough.
const LARGE: usize = 48 * 1024;

/// Lines that are read in one turn of the loop.
const LINES: usize = 8;

/// Reads each line of `part` once, in order, where `all` that it is a part of is large. The bytes do not matter.
#[inline]
pub fn bring(part: &[i8], all: usize) {
    if all >= LARGE {
        read_lines(part);
    }
}

#[inline(never)]
fn read_lines(bytes: &[i8]) {
    let (turns, rest) = bytes.as_chunks::<{ LINES * LINE }>();
    for turn in turns {
        for line in 0..LINES {
            read(&turn[line * LINE]);
        }
    }
    let mut at = 0;
    while at < rest.len() {
        read(&rest[at]);
        at += LINE;
    }
}

/// Reads a byte that nobody needs.
#[inline]
fn read(byte: &i8) {
    // SAFETY: it is a reference.
    unsafe { core::ptr::from_ref(byte).read_volatile() };
}
