//! Structs whose size is their version: `struct_size` comes first, later versions only add fields at the end.
//!
//! A smaller struct is of an older header: what it lacks has its default. A larger one is of a newer header: the bytes
//! that this library does not know must be zero, for it could not do what they ask.

use crate::status::{Failure, OCELLUS_E_STRUCT_SIZE};
use std::{mem, ptr, slice};

/// No struct will ever be larger; a size beyond is garbage, and is not read along.
const MOST: usize = 4096;

/// A struct that C lays out.
///
/// # Safety
/// The type is `repr(C)`, starts with a `u32` that is its size, has no padding that matters, and any bytes are a value.
pub(crate) unsafe trait Versioned: Copy {
    /// Its name in the header.
    const NAME: &'static str;
    /// Size of its first version; no older one exists.
    const FIRST: usize;
    /// Every field as `*_init` sets it, with `struct_size`.
    fn defaults() -> Self;
}

/// Reads the caller's struct.
///
/// # Safety
/// `from` is NULL, or points to as many readable bytes as its first four say.
pub(crate) unsafe fn read<T: Versioned>(from: *const T) -> Result<T, Failure> {
    // SAFETY: handed through.
    let size = unsafe { check(from)? };
    let mut value = T::defaults();
    // SAFETY: `size` bytes are readable by the caller's word, no more than the value has are copied, and any bytes are
    // a value of T.
    unsafe {
        let to = (&raw mut value).cast::<u8>();
        ptr::copy_nonoverlapping(from.cast::<u8>(), to, size.min(size_of::<T>()));
    }
    Ok(value)
}

/// Checks that the caller's struct is one to write to, and returns its size. NULL and unknown sizes are errors.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn check<T: Versioned>(at: *const T) -> Result<usize, Failure> {
    if at.is_null() {
        return Err(Failure::null(T::NAME));
    }
    // SAFETY: at least the size itself is readable by the caller's word; no alignment is asked for.
    let size = unsafe { at.cast::<u32>().read_unaligned() } as usize;
    let known = size_of::<T>();
    if size < T::FIRST || size > MOST {
        let message = format!(
            "{}: expected a struct_size of {} to {known}, got {size}; set the struct up with {}_init",
            T::NAME,
            T::FIRST,
            T::NAME
        );
        return Err(Failure::new(OCELLUS_E_STRUCT_SIZE, message));
    }
    if size > known {
        // SAFETY: `size` bytes are readable by the caller's word.
        let beyond = unsafe { slice::from_raw_parts(at.cast::<u8>().add(known), size - known) };
        if let Some(at) = beyond.iter().position(|byte| *byte != 0) {
            let message = format!(
                "{}: byte {} is not zero, and this library knows {known}; it is older than the program's header",
                T::NAME,
                known + at
            );
            return Err(Failure::new(OCELLUS_E_STRUCT_SIZE, message));
        }
    }
    Ok(size)
}

/// Writes `value` to the caller's struct, whose own size stays.
///
/// # Safety
/// [`check`] returned `size` for `to`, which is writable.
pub(crate) unsafe fn write<T: Versioned>(value: &T, to: *mut T, size: usize) {
    let from = (&raw const *value).cast::<u8>();
    let first = mem::size_of::<u32>();
    // SAFETY: the caller's struct has `size` bytes, the value `size_of::<T>()`; both more than the size field.
    unsafe {
        let bytes = size.min(size_of::<T>()) - first;
        ptr::copy_nonoverlapping(from.add(first), to.cast::<u8>().add(first), bytes);
    }
}

/// Sets the caller's struct up: what every `*_init` does.
///
/// # Safety
/// `to` is NULL or points to `size` writable bytes.
pub(crate) unsafe fn init<T: Versioned>(to: *mut T, size: u32) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure::null(T::NAME));
    }
    let bytes = size as usize;
    if bytes < T::FIRST || bytes > MOST {
        let message = format!(
            "{}_init: expected sizeof({}), {} or more, got {bytes}",
            T::NAME,
            T::NAME,
            T::FIRST
        );
        return Err(Failure::new(OCELLUS_E_STRUCT_SIZE, message));
    }
    // SAFETY: `bytes` are writable by the caller's word and hold at least the size field; `write` keeps within them.
    unsafe {
        to.cast::<u8>().write_bytes(0, bytes);
        to.cast::<u32>().write_unaligned(size);
        write(&T::defaults(), to, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the library knows: the second version of a struct.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Known {
        struct_size: u32,
        first: u32,
        second: u64,
    }

    // SAFETY: repr(C), size first, integers only.
    unsafe impl Versioned for Known {
        const NAME: &'static str = "known";
        const FIRST: usize = 8;
        fn defaults() -> Known {
            Known {
                struct_size: size_of::<Known>() as u32,
                first: 1,
                second: 2,
            }
        }
    }

    /// Struct bytes: the size, then a field each four bytes.
    fn bytes(size: u32, fields: &[u32]) -> Vec<u32> {
        [&[size], fields].concat()
    }

    fn read_words(words: &[u32]) -> Result<Known, Failure> {
        // SAFETY: every test gives as many words as its size says, or a size that is refused.
        unsafe { read(words.as_ptr().cast()) }
    }

    #[test]
    fn an_older_struct_has_defaults_for_what_it_lacks() {
        let known = read_words(&bytes(8, &[7])).expect("the first version");
        assert_eq!((known.first, known.second), (7, 2));
    }

    #[test]
    fn a_newer_struct_is_taken_while_it_asks_for_nothing_new() {
        let known = read_words(&bytes(24, &[7, 8, 0, 0, 0])).expect("zeros");
        assert_eq!((known.first, known.second), (7, 8));
        for beyond in [[1, 0], [0, 1 << 31]] {
            let words = bytes(24, &[7, 8, 0, beyond[0], beyond[1]]);
            let error = read_words(&words).expect_err("a field that nobody knows");
            assert_eq!(error.status, OCELLUS_E_STRUCT_SIZE);
        }
    }

    #[test]
    fn sizes_that_no_version_has_are_refused_unread() {
        for size in [0, 4, 7, MOST as u32 + 1, u32::MAX] {
            let error = read_words(&[size]).expect_err("no version");
            assert_eq!(error.status, OCELLUS_E_STRUCT_SIZE, "{size}");
        }
    }

    #[test]
    fn a_struct_is_written_as_far_as_the_caller_has_it() {
        let value = Known {
            struct_size: 16,
            first: 7,
            second: 8,
        };
        for (size, wanted) in [
            (8, [8, 7, 9, 9, 9, 9]),
            (16, [16, 7, 8, 0, 9, 9]),
            (24, [24, 7, 8, 0, 9, 9]),
        ] {
            let mut words = [size, 9, 9, 9, 9, 9];
            // SAFETY: six words are more than any of the sizes.
            unsafe { write(&value, words.as_mut_ptr().cast(), size as usize) };
            assert_eq!(words, wanted);
        }
    }

    #[test]
    fn init_sets_defaults_and_clears_what_is_newer() {
        for (size, wanted) in [
            (8, [8, 1, 9, 9, 9, 9]),
            (16, [16, 1, 2, 0, 9, 9]),
            (24, [24, 1, 2, 0, 0, 0]),
        ] {
            let mut words = [9_u32; 6];
            // SAFETY: six words are no fewer than any of the sizes.
            unsafe { init::<Known>(words.as_mut_ptr().cast(), size) }.expect("a size");
            assert_eq!(words, wanted);
        }
        let mut words = [9_u32; 6];
        // SAFETY: refused before anything is written.
        unsafe { init::<Known>(words.as_mut_ptr().cast(), 4) }.expect_err("too small");
        assert_eq!(words, [9; 6]);
    }
}
