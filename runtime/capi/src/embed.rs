//! The embedding of a frame, for who compares frames with frames, or with words by other means.

use crate::{
    frame::ocellus_frame,
    pointer::{self, place},
    session::{ocellus_session, with},
    sized,
    status::{Failure, OCELLUS_E_CAPACITY},
};

/// Computes a frame's embedding in the space of the labels' embeddings: a vector of length one, so that the scalar product
/// of two is their cosine. It is computed at the policy's first resolution; of several tiles it is their direction
/// together. The session needs no labels.
///
/// frame        is read during the call only, and not changed; its bytes must not change meanwhile.
/// embedding    room for `capacity` numbers; receives `*length` of them. NULL where `capacity` is 0: only `length` is
///              written, and the frame is not used.
/// length       receives the dimension of the bundle's space, such as 128.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT,
/// OCELLUS_E_FRAME_..., OCELLUS_E_MODEL, OCELLUS_E_MEMORY; OCELLUS_E_CAPACITY where the vector has more numbers than there
/// is room. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_embed(
    session: *mut ocellus_session,
    frame: *const ocellus_frame,
    embedding: *mut f32,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    with(session, |_, state, _| {
        let length = place(length, "length")?;
        pointer::array(embedding, capacity, "embedding")?;
        let manifest = state.session.engine().bundle().manifest();
        let dimension = manifest.text.dimension;
        if capacity > 0 {
            if capacity < dimension {
                let message =
                    format!("embedding: expected room for {dimension} numbers, got {capacity}");
                return Err(Failure::new(OCELLUS_E_CAPACITY, message));
            }
            // SAFETY: NULL or as long as it says, and so are its planes, by the caller's word.
            let given = unsafe { sized::read(frame)? };
            // SAFETY: as above.
            let mapped = unsafe { given.map()? };
            let frame = mapped.frame()?;
            let vector = state.session.embed(&frame)?;
            // SAFETY: the capacity is writable by the caller's word, and the vector has `dimension` numbers, no more.
            unsafe { embedding.copy_from_nonoverlapping(vector.as_ptr(), dimension) };
        }
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { length.write_unaligned(dimension) };
        Ok(())
    })
}
