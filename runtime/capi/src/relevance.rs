//! Where a label is in the last frame.

use crate::{
    guard, pointer,
    session::{beside, ocellus_session},
    sized::{self, Versioned},
    status::{Failure, OCELLUS_E_CAPACITY, OCELLUS_E_NO_RELEVANCE},
};

/// Where one label is. Places are in pixels of the frame's crop, turned upright. Set up by ocellus_relevance_init.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ocellus_relevance {
    /// Set by ocellus_relevance_init.
    pub struct_size: u32,
    /// Rows of the heat grid, in cells.
    pub rows: u32,
    /// Cells of a row.
    pub columns: u32,
    /// 1 where the label has a peak; 0 where no cell attends to it, and the peak is 0, 0.
    pub has_peak: i32,
    /// Column of the peak of the smoothed grid, in pixels from the left edge.
    pub peak_x_px: f32,
    /// Row of the peak, in pixels from the top edge.
    pub peak_y_px: f32,
    /// The largest share of attention that the label gets at any cell, 0 to 1.
    pub local_score: f32,
    /// The rectangle that the grid covers: of several tiles, the one in which the label stands out most. Its left edge.
    pub view_x_px: f32,
    /// Its top edge.
    pub view_y_px: f32,
    /// Its width.
    pub view_width_px: f32,
    /// Its height.
    pub view_height_px: f32,
}

// SAFETY: repr(C), size first, numbers only.
unsafe impl Versioned for ocellus_relevance {
    const NAME: &'static str = "ocellus_relevance";
    const FIRST: usize = 44;
    fn defaults() -> ocellus_relevance {
        ocellus_relevance {
            struct_size: size_of::<ocellus_relevance>() as u32,
            ..ocellus_relevance::default()
        }
    }
}

/// Sets a relevance up: every field but its size is 0.
///
/// struct_size    sizeof(ocellus_relevance)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_relevance_init(
    relevance: *mut ocellus_relevance,
    struct_size: u32,
) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(relevance, struct_size) })
}

/// Says where a label is in the last frame that was computed, by ocellus_session_infer or by the worker; inside of
/// on_result, in the frame that it is called for. The session must have been made with `relevance` 1.
///
/// label        its place in the list that was set, from 0.
/// relevance    set up by ocellus_relevance_init.
/// cells        room for `capacity` numbers; receives rows * columns of them, row after row: the share of attention that
///              the label gets at each cell, 0 to 1. NULL where `capacity` is 0: only `relevance` is filled.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT,
/// OCELLUS_E_NO_RELEVANCE; OCELLUS_E_CAPACITY where the grid has more cells than there is room. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_relevance(
    session: *mut ocellus_session,
    label: u32,
    relevance: *mut ocellus_relevance,
    cells: *mut f32,
    capacity: usize,
) -> i32 {
    beside(session, |session| {
        // SAFETY: NULL or as long as it says, by the caller's word.
        let size = unsafe { sized::check(relevance)? };
        pointer::array(cells, capacity, "cells")?;
        let none = |why: &str| Failure::new(OCELLUS_E_NO_RELEVANCE, why);
        let found = session.places()?.ok_or_else(|| {
            none("no frame was asked where labels are; set relevance in the session's options, then infer a frame")
        })?;
        let (places, seen) = (&found.places, &found.seen);
        let place = places.get(label as usize).ok_or_else(|| {
            Failure::argument(format!(
                "label: expected one of {} labels, from 0, got {label}",
                places.len()
            ))
        })?;
        let shown = place.relevance.get(place.view).zip(seen.get(place.view));
        let (grid, view) = shown.ok_or_else(|| none("nothing of the frame was seen"))?;
        if capacity > 0 {
            if capacity < grid.values.len() {
                let message = format!(
                    "cells: expected room for {} x {} cells, got {capacity}",
                    grid.height, grid.width
                );
                return Err(Failure::new(OCELLUS_E_CAPACITY, message));
            }
            // SAFETY: no more than the capacity, which is writable by the caller's word.
            unsafe { cells.copy_from_nonoverlapping(grid.values.as_ptr(), grid.values.len()) };
        }
        let [peak_x, peak_y] = place.peak_px.unwrap_or_default();
        let answer = ocellus_relevance {
            rows: grid.height as u32,
            columns: grid.width as u32,
            has_peak: place.peak_px.is_some().into(),
            peak_x_px: peak_x as f32,
            peak_y_px: peak_y as f32,
            local_score: place.local_score,
            view_x_px: view.x as f32,
            view_y_px: view.y as f32,
            view_width_px: view.width as f32,
            view_height_px: view.height as f32,
            ..ocellus_relevance::defaults()
        };
        // SAFETY: `size` is what the check returned for it.
        unsafe { sized::write(&answer, relevance, size) };
        Ok(())
    })
}
