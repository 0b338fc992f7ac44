//! Labels that are taught by frames, and what of them a device keeps.

use crate::{
    frame::ocellus_frame,
    labels,
    log::OCELLUS_LOG_DEBUG,
    pointer::{self, place},
    session::{ocellus_session, with},
    sized,
    status::{Failure, OCELLUS_E_CAPACITY, OCELLUS_E_EXAMPLES},
};
use ocellus::{Examples, MAX_EXAMPLES, language::MAX_LABEL_BYTES};
use std::ffi::{c_char, c_void};

/// Teaches a label by a frame, which takes the time of one inference at the bundle's middle resolution; the label is one
/// of the session's from the next frame on that is begun. It stands behind those that were set, if it is none of them. A
/// frame that taught it before is not counted twice; where this fails, nothing was taught.
///
/// label       UTF-8 with a NUL, at most 1000 bytes, copied. No word of it need be known.
/// frame       is read during the call only, and not changed; its bytes must not change meanwhile. Of tiles, the square
///             in the middle is seen.
/// examples    receives by how many frames the label is taught now; NULL: it is not said.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT, OCELLUS_E_UTF8,
/// OCELLUS_E_LABELS, OCELLUS_E_FRAME_..., OCELLUS_E_MODEL, OCELLUS_E_MEMORY; OCELLUS_E_NOT_TEACHABLE where the frame
/// teaches another label, and for more than 1024 examples together. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_teach(
    session: *mut ocellus_session,
    label: *const c_char,
    frame: *const ocellus_frame,
    examples: *mut u32,
) -> i32 {
    with(session, |session, state, runtime| {
        // SAFETY: handed through.
        let label = unsafe { labels::text(label, None, "label")? };
        // SAFETY: NULL or as long as it says, and so are its planes, by the caller's word.
        let given = unsafe { sized::read(frame)? };
        // SAFETY: as above.
        let mapped = unsafe { given.map()? };
        let count = state.session.teach(label, &mapped.frame()?)?;
        state.labels_set += 1;
        session.keep_places(state, None);
        runtime.log.write(OCELLUS_LOG_DEBUG, || {
            format!("label {label:?} is taught by {count}")
        });
        // SAFETY: handed through.
        unsafe { say(examples, count) };
        Ok(())
    })
}

/// Forgets all that a label was taught by. The label goes too, unless it was set.
///
/// label       UTF-8 with a NUL.
/// examples    receives by how many frames it was taught; NULL: it is not said.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_UTF8, OCELLUS_E_LABELS, OCELLUS_E_MEMORY;
/// OCELLUS_E_NOT_TAUGHT. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_forget(
    session: *mut ocellus_session,
    label: *const c_char,
    examples: *mut u32,
) -> i32 {
    with(session, |session, state, _| {
        // SAFETY: handed through.
        let count = state
            .session
            .forget(unsafe { labels::text(label, None, "label")? })?;
        state.labels_set += 1;
        session.keep_places(state, None);
        // SAFETY: handed through.
        unsafe { say(examples, count) };
        Ok(())
    })
}

/// A label of the session by its place, which is `label` of ocellus_hit: those that were set come first, those that were
/// only taught behind them. The first place for which this fails with OCELLUS_E_ARGUMENT is their number.
///
/// text        room for `capacity` bytes; receives the label as UTF-8 with a NUL. NULL where `capacity` is 0: the others
///             only are written.
/// length      receives the label's length in bytes without its NUL; NULL: it is not said.
/// examples    receives by how many frames it was taught, 0 for none; NULL: it is not said.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_ARGUMENT; OCELLUS_E_CAPACITY where the label and
/// its NUL have more bytes than there is room. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_label(
    session: *mut ocellus_session,
    label: u32,
    text: *mut c_char,
    capacity: usize,
    length: *mut usize,
    examples: *mut u32,
) -> i32 {
    with(session, |_, state, _| {
        pointer::array(text, capacity, "text")?;
        let labels = state.session.all_labels();
        let found = labels.get(label as usize).ok_or_else(|| {
            let count = labels.len();
            Failure::argument(format!("label: expected less than {count}, got {label}"))
        })?;
        fits("text", found.len() + 1, capacity)?;
        let mut taught = state.session.examples().labels();
        let count = taught.find(|(taught, _)| *taught == &**found);
        // SAFETY: the capacity is writable by the caller's word, and the label fits.
        unsafe { pointer::copy_text(found, text, capacity) };
        if !length.is_null() {
            // SAFETY: not NULL, and writable by the caller's word.
            unsafe { length.write_unaligned(found.len()) };
        }
        // SAFETY: handed through.
        unsafe { say(examples, count.map_or(0, |(_, count)| count)) };
        Ok(())
    })
}

/// Copies what the session was taught, for ocellus_session_load_examples to put back: bytes that the caller keeps where it
/// likes. A file that is to survive a power cut is written under another name, synced, and renamed.
///
/// data        room for `capacity` bytes. NULL where `capacity` is 0: only `size` is written.
/// size        receives how many bytes there are.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_ARGUMENT; OCELLUS_E_CAPACITY where there are more
/// bytes than there is room. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_save_examples(
    session: *mut ocellus_session,
    data: *mut c_void,
    capacity: usize,
    size: *mut usize,
) -> i32 {
    with(session, |_, state, _| {
        let size = place(size, "size")?;
        pointer::array(data.cast::<u8>(), capacity, "data")?;
        let bytes = state.session.examples().to_bytes();
        fits("data", bytes.len(), capacity)?;
        if capacity > 0 {
            // SAFETY: the capacity is writable by the caller's word, and the bytes are no more.
            unsafe {
                data.cast::<u8>()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
        }
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { size.write_unaligned(bytes.len()) };
        Ok(())
    })
}

/// Puts what was saved in the place of what the session was taught. Where this fails, that stays.
///
/// data        `size` bytes of ocellus_session_save_examples or of a file of `ocellus teach`; copied.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_ARGUMENT, OCELLUS_E_MODEL, OCELLUS_E_MEMORY;
/// OCELLUS_E_EXAMPLES where they are damaged, of another bundle or of another version. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_load_examples(
    session: *mut ocellus_session,
    data: *const c_void,
    size: usize,
) -> i32 {
    with(session, |session, state, _| {
        let engine = state.session.engine();
        let key = engine.bundle().manifest().image.channels + 4 + MAX_LABEL_BYTES + 8;
        if size > MAX_EXAMPLES * key + 1000 {
            let message = format!("examples: expected saved ones, got {size} bytes");
            return Err(Failure::new(OCELLUS_E_EXAMPLES, message));
        }
        // SAFETY: `size` bytes by the caller's word.
        let bytes = unsafe { pointer::slice(data.cast::<u8>(), size, "data")? };
        let examples = Examples::read(engine.bundle(), bytes).map_err(ocellus::Error::from)?;
        state.session.set_examples(&examples)?;
        state.labels_set += 1;
        session.keep_places(state, None);
        Ok(())
    })
}

/// # Safety
/// `to` is NULL or writable.
unsafe fn say(to: *mut u32, count: usize) {
    if !to.is_null() {
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(count as u32) };
    }
}

/// Whether so many bytes fit; of no capacity they are not written.
fn fits(what: &str, size: usize, capacity: usize) -> Result<(), Failure> {
    if capacity > 0 && capacity < size {
        let message = format!("{what}: expected room for {size} bytes, got {capacity}");
        return Err(Failure::new(OCELLUS_E_CAPACITY, message));
    }
    Ok(())
}
