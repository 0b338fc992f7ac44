//! Labels as C gives them.

use crate::{
    log::OCELLUS_LOG_WARN,
    pointer,
    session::{ocellus_session, with},
    status::{Failure, OCELLUS_E_LABELS},
};
use ocellus::language::{MAX_LABEL_BYTES, MAX_LABELS};
use std::ffi::c_char;

/// Sets the labels, and computes what is kept of them. Where this fails, the labels before stay.
///
/// labels     `count` texts in UTF-8, copied; at most 65536 of at most 1000 bytes each.
/// lengths    their lengths in bytes, `count` numbers; NULL: each label ends with a NUL.
///
/// With a worker, they are in force from the next frame on that is begun.
///
/// Words that the bundle does not know are left out, with a message at OCELLUS_LOG_WARN.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_UTF8; OCELLUS_E_LABELS for no label, an empty or
/// over-long one, one of unknown words only; OCELLUS_E_MEMORY. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_set_labels(
    session: *mut ocellus_session,
    labels: *const *const c_char,
    lengths: *const usize,
    count: usize,
) -> i32 {
    with(session, |session, state, runtime| {
        // SAFETY: handed through.
        let labels = unsafe { read(labels, lengths, count, "labels")? };
        state.session.set_labels(labels)?;
        state.labels_set += 1;
        session.keep_places(state, None);
        for warning in state.session.label_warnings() {
            runtime.log.write(OCELLUS_LOG_WARN, || warning.clone());
        }
        Ok(())
    })
}

/// # Safety
/// `labels` and `lengths` keep the header's word.
pub(crate) unsafe fn read(
    labels: *const *const c_char,
    lengths: *const usize,
    count: usize,
    what: &str,
) -> Result<Vec<String>, Failure> {
    if count > MAX_LABELS {
        let message = format!("{what}: expected at most {MAX_LABELS}, got {count}");
        return Err(Failure::new(OCELLUS_E_LABELS, message));
    }
    if labels.is_null() {
        return Err(Failure::null(what));
    }
    // SAFETY: `count` pointers by the caller's word.
    let texts = unsafe { pointer::slice(labels, count, what)? };
    let lengths = match lengths.is_null() {
        true => None,
        // SAFETY: `count` numbers by the caller's word.
        false => Some(unsafe { pointer::slice(lengths, count, "lengths")? }),
    };
    let label = |(index, text): (usize, &*const c_char)| {
        let length = lengths.map(|lengths| lengths[index]);
        // SAFETY: a text of this length, or with a NUL, by the caller's word.
        unsafe { self::text(*text, length, &format!("{what}[{index}]")).map(str::to_owned) }
    };
    texts.iter().enumerate().map(label).collect()
}

/// A text that is no longer than a label may be, of `length` bytes or up to its NUL.
///
/// # Safety
/// `at` is NULL or points to the text, which stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(
    at: *const c_char,
    length: Option<usize>,
    what: &str,
) -> Result<&'a str, Failure> {
    // SAFETY: handed through.
    let bytes = unsafe { pointer::bytes(at, length, MAX_LABEL_BYTES, what)? };
    let bytes = bytes.ok_or_else(|| {
        let message = format!("{what}: expected at most {MAX_LABEL_BYTES} bytes");
        Failure::new(OCELLUS_E_LABELS, message)
    })?;
    pointer::utf8(bytes, what)
}
