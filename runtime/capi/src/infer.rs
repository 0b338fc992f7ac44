//! One frame in, one answer out.

use crate::{
    frame::ocellus_frame,
    guard,
    log::OCELLUS_LOG_DEBUG,
    pointer,
    session::{ocellus_session, with},
    shared::Places,
    sized::{self, Versioned},
    submit::{OCELLUS_RESULT_DEGRADED, OCELLUS_RESULT_SIGMOID},
};
use ocellus::{Probabilities, Report};

/// How well one label fits. This struct never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ocellus_hit {
    /// The label's place in the list that was set, from 0; of a label that was only taught, its place behind them, as
    /// ocellus_session_label has it.
    pub label: u32,
    /// Cosine of the label's and the frame's embeddings, -1 to 1; of a label that was taught, with what its examples
    /// add.
    pub score: f32,
    /// Softmax over all labels of the session, 0 to 1; where the result has OCELLUS_RESULT_SIGMOID, the label's own.
    pub probability: f32,
}

/// What one frame gave. Set up once by ocellus_result_init, and filled by each ocellus_session_infer; or handed to
/// on_result, for a frame that was submitted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ocellus_result {
    /// Set by ocellus_result_init.
    pub struct_size: u32,
    /// How many labels the session has.
    pub label_count: u32,
    /// How many hits were written: the smaller of `label_count` and `hit_capacity`.
    pub hit_count: u32,
    /// 1 where nothing fits: `match_probability` is below the bundle's threshold.
    pub no_match: i32,
    /// The calibrated probability that at least one label fits, 0 to 1; 1 where the bundle cannot tell.
    pub match_probability: f32,
    /// Shannon entropy of the grey histogram of what was seen, 0 to 8 bits; of several tiles the largest.
    pub entropy_bits: f32,
    /// Side in pixels of the encoder's input that gave the answer.
    pub resolution: u32,
    /// 1 where the answer at the first resolution was unsure, and a higher one was used.
    pub escalated: i32,
    /// How many frames, submitted between the frame of the answer before and this one, were dropped: replaced by a newer
    /// one, or forgotten by ocellus_session_cancel. 0 for ocellus_session_infer.
    pub dropped: u32,
    /// OCELLUS_RESULT_..., added up.
    pub flags: u32,
    /// Microseconds from the camera's pixel format to RGB of what is seen.
    pub decode_us: u64,
    /// Microseconds that the frame waited, from when ocellus_session_submit had read it to when the work on it began; 0 for
    /// ocellus_session_infer.
    pub queue_us: u64,
    /// Microseconds of the entropy, and of the choice of the resolution.
    pub look_us: u64,
    /// Microseconds of the resize, over all resolutions that were used.
    pub resize_us: u64,
    /// Microseconds of the image encoder, over all resolutions that were used.
    pub encode_us: u64,
    /// Microseconds of scores, probabilities, the no-match verdict and relevance.
    pub heads_us: u64,
    /// Microseconds from when the frame came in, by ocellus_session_infer or ocellus_session_submit, to the answer; but for
    /// one-off work that ocellus_session_warm_up does ahead.
    pub total_us: u64,
    /// The frame's, untouched.
    pub timestamp_ns: i64,
    /// The frame's, untouched.
    pub cookie: u64,
}

// SAFETY: repr(C), size first, numbers only.
unsafe impl Versioned for ocellus_result {
    const NAME: &'static str = "ocellus_result";
    const FIRST: usize = 112;
    fn defaults() -> ocellus_result {
        ocellus_result {
            struct_size: size_of::<ocellus_result>() as u32,
            ..ocellus_result::default()
        }
    }
}

/// Sets a result up: every field but its size is 0.
///
/// struct_size    sizeof(ocellus_result)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_result_init(result: *mut ocellus_result, struct_size: u32) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(result, struct_size) })
}

/// Says which labels fit a frame. The answer is complete when the call returns.
///
/// frame           is read during the call only, and not changed; its bytes must not change meanwhile.
/// result          set up by ocellus_result_init.
/// hits            room for `hit_capacity` hits, best first; NULL where that is 0. Labels that do not fit are left out.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT,
/// OCELLUS_E_NO_LABELS, OCELLUS_E_FRAME_..., OCELLUS_E_MODEL, OCELLUS_E_MEMORY. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_infer(
    session: *mut ocellus_session,
    frame: *const ocellus_frame,
    result: *mut ocellus_result,
    hits: *mut ocellus_hit,
    hit_capacity: usize,
) -> i32 {
    with(session, |session, state, runtime| {
        // SAFETY: NULL or as long as it says, by the caller's word.
        let size = unsafe { sized::check(result)? };
        pointer::array(hits, hit_capacity, "hits")?;
        // SAFETY: NULL or as long as it says, and so are its planes, by the caller's word.
        let given = unsafe { sized::read(frame)? };
        // SAFETY: as above.
        let mapped = unsafe { given.map()? };
        let report = &mut state.report;
        state.session.infer_into(&mapped.frame()?, report)?;
        runtime
            .log
            .write(OCELLUS_LOG_DEBUG, || report.reason.clone());

        for (index, hit) in self::hits(report).take(hit_capacity).enumerate() {
            // SAFETY: the index is below the capacity, which is writable by the caller's word.
            unsafe { hits.add(index).write(hit) };
        }
        let hit_count = report.labels.len().min(hit_capacity);
        let answer = answer(report, hit_count, (given.timestamp_ns, given.cookie));
        // SAFETY: `size` is what the check returned for it.
        unsafe { sized::write(&answer, result, size) };
        let places = Places::take(report);
        session.keep_places(state, places);
        Ok(())
    })
}

/// Every label's hit, best first.
pub(crate) fn hits(report: &Report) -> impl Iterator<Item = ocellus_hit> {
    report.labels.iter().map(|hit| ocellus_hit {
        label: hit.index as u32,
        score: hit.score,
        probability: hit.probability,
    })
}

/// What the report itself says of the flags.
fn flags(report: &Report) -> u32 {
    let degraded = match report.degraded {
        true => OCELLUS_RESULT_DEGRADED,
        false => 0,
    };
    match report.probabilities {
        Probabilities::Softmax => degraded,
        Probabilities::Sigmoid => degraded | OCELLUS_RESULT_SIGMOID,
    }
}

/// The result of a frame with this timestamp and cookie.
pub(crate) fn answer(
    report: &Report,
    hit_count: usize,
    (timestamp_ns, cookie): (i64, u64),
) -> ocellus_result {
    let us = &report.stages_us;
    ocellus_result {
        label_count: report.labels.len() as u32,
        hit_count: hit_count as u32,
        no_match: report.no_match.into(),
        match_probability: report.match_probability,
        entropy_bits: report.entropy_bits,
        resolution: report.resolution,
        escalated: report.escalated.into(),
        flags: flags(report),
        decode_us: us.decode,
        look_us: us.look,
        resize_us: us.resize,
        encode_us: us.encode,
        heads_us: us.heads,
        total_us: us.total,
        timestamp_ns,
        cookie,
        ..ocellus_result::defaults()
    }
}
