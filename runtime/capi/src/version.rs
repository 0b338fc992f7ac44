//! What C asks first and last: which library this is, and what went wrong.

use crate::{
    guard,
    pointer::copy_text,
    status::{Failure, OCELLUS_E_ABI, name},
};
use std::ffi::c_char;

/// The header's generation. Another one is another library: `libocellus.so.1` is this one's.
pub const OCELLUS_ABI_MAJOR: u32 = 1;
/// Rises with each addition to the header. A library serves every header of its generation that is not newer.
pub const OCELLUS_ABI_MINOR: u32 = 2;

/// The library's version, such as "0.1.0". A constant; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn ocellus_version() -> *const c_char {
    // Nothing here can panic.
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Whether this library serves a program that was compiled with a header of this version:
/// `ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR)` is a program's first call. Any thread.
///
/// Returns OCELLUS_OK, or OCELLUS_E_ABI where the library is of another generation or older than the header.
#[unsafe(no_mangle)]
pub extern "C" fn ocellus_abi_check(major: u32, minor: u32) -> i32 {
    guard::call(|| {
        if major == OCELLUS_ABI_MAJOR && (0..=OCELLUS_ABI_MINOR).contains(&minor) {
            return Ok(());
        }
        let message = format!(
            "the program was compiled with the header of libocellus.so.{major}.{minor}, and this is \
             {OCELLUS_ABI_MAJOR}.{OCELLUS_ABI_MINOR}; install the library that the header came with"
        );
        Err(Failure::new(OCELLUS_E_ABI, message))
    })
}

/// The name of a status, such as "OCELLUS_E_NULL"; of a number that is none, "unknown status". A constant; any thread.
#[unsafe(no_mangle)]
pub extern "C" fn ocellus_status_name(status: i32) -> *const c_char {
    // Nothing here can panic.
    name(status).unwrap_or(c"unknown status").as_ptr()
}

/// Copies the message of the last call of this thread that did not return OCELLUS_OK: what, where, expected, got, and
/// the remedy, as UTF-8 with a NUL. It stays until another call of this thread fails.
///
/// buffer    room for `capacity` bytes; may be NULL where that is 0. A message that does not fit is cut.
///
/// Returns the length of the whole message in bytes without its NUL, whatever `capacity` is; 0 where nothing failed yet.
/// Any thread; each has its own message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_last_error(buffer: *mut c_char, capacity: usize) -> usize {
    let copied = guard::caught(|| {
        Ok(guard::with_last_error(|message| {
            // SAFETY: `buffer` has `capacity` writable bytes by the caller's word.
            unsafe { copy_text(message, buffer, capacity) };
            message.len()
        }))
    });
    copied.ok().flatten().unwrap_or(0)
}
