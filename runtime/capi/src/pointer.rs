//! Pointers from C, turned into what Rust may use: not NULL, aligned, of a size that an object can have.

use crate::status::{Failure, OCELLUS_E_UTF8};
use std::{ffi::c_char, slice};

/// An array of the caller's; of no elements, it may be NULL.
///
/// # Safety
/// `at` points to `count` elements that stay as they are for `'a`.
pub(crate) unsafe fn slice<'a, T>(
    at: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    array(at, count, what)?;
    // SAFETY: not NULL, aligned and of a possible size by the check, readable by the caller's word.
    Ok(unsafe { slice::from_raw_parts(at, count) })
}

/// Checks an array that will be written to; of no elements, it may be NULL.
pub(crate) fn array<T>(at: *const T, count: usize, what: &str) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    if at.is_null() {
        return Err(Failure::null(what));
    }
    if !at.is_aligned() {
        let align = align_of::<T>();
        return Err(Failure::argument(format!(
            "{what}: expected an address that is a multiple of {align}, got {at:p}"
        )));
    }
    let bytes = count.checked_mul(size_of::<T>());
    let ends = bytes.and_then(|bytes| at.addr().checked_add(bytes));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) || ends.is_none() {
        return Err(Failure::argument(format!(
            "{what}: {count} elements are more than memory holds"
        )));
    }
    Ok(())
}

/// Checks a place that will be written to.
pub(crate) fn place<T>(at: *mut T, what: &str) -> Result<*mut T, Failure> {
    if at.is_null() {
        return Err(Failure::null(what));
    }
    Ok(at)
}

/// The bytes of a text of `length` bytes, or up to its NUL where there is no length; nothing where it is longer than
/// `most`, which is as far as it is read.
///
/// # Safety
/// `at` is NULL or points to the text, which stays as it is for `'a`.
pub(crate) unsafe fn bytes<'a>(
    at: *const c_char,
    length: Option<usize>,
    most: usize,
    what: &str,
) -> Result<Option<&'a [u8]>, Failure> {
    if at.is_null() {
        return Err(Failure::null(what));
    }
    let ends = |index: &usize| {
        // SAFETY: the text is readable up to its NUL, and no byte before this one was it.
        unsafe { *at.add(*index) == 0 }
    };
    let length = match length {
        Some(length) => length,
        None => match (0..=most).find(ends) {
            Some(length) => length,
            None => return Ok(None),
        },
    };
    if length > most {
        return Ok(None);
    }
    // SAFETY: the text has these bytes by the caller's word, or by the NUL that was found.
    unsafe { slice(at.cast(), length, what) }.map(Some)
}

/// The text of bytes.
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!(
            "{what}: expected UTF-8, got another byte at {}",
            error.valid_up_to()
        );
        Failure::new(OCELLUS_E_UTF8, message)
    })
}

/// Copies `text` and a NUL into a buffer of `capacity` bytes, cut between characters where it does not fit. A buffer of
/// no bytes may be NULL.
///
/// # Safety
/// `to` has `capacity` writable bytes.
pub(crate) unsafe fn copy_text(text: &str, to: *mut c_char, capacity: usize) {
    if to.is_null() || capacity == 0 {
        return;
    }
    let kept = text.floor_char_boundary(capacity - 1);
    // SAFETY: `kept` and the NUL are no more than `capacity`.
    unsafe {
        to.cast::<u8>()
            .copy_from_nonoverlapping(text.as_ptr(), kept);
        to.add(kept).write(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{OCELLUS_E_ARGUMENT, OCELLUS_E_NULL};
    use std::ptr;

    #[test]
    fn arrays_are_there_aligned_and_possible() {
        let words = [1_u32, 2, 3];
        let status = |at: *const u32, count| array(at, count, "words").map_err(|f| f.status);
        assert_eq!(status(words.as_ptr(), 3), Ok(()));
        assert_eq!(status(ptr::null(), 0), Ok(()));
        assert_eq!(status(ptr::null(), 1), Err(OCELLUS_E_NULL));
        let odd = words.as_ptr().wrapping_byte_add(1);
        assert_eq!(status(odd, 1), Err(OCELLUS_E_ARGUMENT));
        for count in [usize::MAX, usize::MAX / 4, isize::MAX as usize / 2] {
            assert_eq!(status(words.as_ptr(), count), Err(OCELLUS_E_ARGUMENT));
        }
    }

    #[test]
    fn a_text_ends_at_its_length_or_its_nul() {
        let read = |length, most| {
            // SAFETY: the literal has a NUL, and lengths are within it.
            let bytes = unsafe { bytes(c"abcd".as_ptr(), length, most, "text") };
            bytes.expect("not NULL").map(<[u8]>::len)
        };
        assert_eq!(read(None, 9), Some(4));
        assert_eq!(read(None, 4), Some(4));
        assert_eq!(read(None, 3), None);
        assert_eq!(read(Some(2), 9), Some(2));
        assert_eq!(read(Some(usize::MAX), 9), None);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (capacity, wanted) in [(1, ""), (2, "a"), (3, "a"), (4, "aé"), (9, "aéz")] {
            let mut buffer = [b'!' as c_char; 9];
            // SAFETY: no capacity is over nine.
            unsafe { copy_text("aéz", buffer.as_mut_ptr(), capacity) };
            let bytes = buffer.map(|byte| byte as u8);
            assert_eq!(&bytes[..wanted.len()], wanted.as_bytes());
            assert_eq!(bytes[wanted.len()], 0);
            assert!(bytes[wanted.len() + 1..].iter().all(|byte| *byte == b'!'));
        }
        // SAFETY: nothing is written.
        unsafe { copy_text("text", ptr::null_mut(), 0) };
    }
}
