//! Marks that an instruction counter outside of the program sees.
//!
//! A mark is a system call that an emulator's plugin can watch for: `close` of a number that is no file. The kernel
//! refuses it, so that a program with marks runs unharmed anywhere. What lies between [`begin`] and [`end`] is a region,
//! and with it what the C library does around the two calls: a few dozen instructions.
//!
//! Limits: regions do not nest.

/// The numbers, far from any that a program could have open, or fail to have opened.
const BEGIN: i32 = -77_001;
const END: i32 = -77_002;

/// A region begins.
pub fn begin() {
    mark(BEGIN);
}

/// The region ends.
pub fn end() {
    mark(END);
}

fn mark(number: i32) {
    // SAFETY: the number is negative, so it is no file of this process, and none is closed.
    unsafe { libc::close(number) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, Write};

    #[test]
    fn a_mark_is_refused_and_closes_nothing() {
        for mark in [begin, end] {
            mark();
            assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EBADF));
        }
        std::io::stdout()
            .flush()
            .expect("standard output is still open");
    }
}
