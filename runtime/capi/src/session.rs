//! Sessions as C sees them: options, and who may use one when.

use crate::{
    guard,
    handle::{self, Handled, Table},
    pointer::{self, place},
    runtime::{Runtime, ocellus_runtime},
    sized::{self, Versioned},
    status::{Failure, OCELLUS_E_BUSY},
};
use ocellus::{
    Blocks, Place, Policy, Relevance, Seen, SessionOptions, bundle::Manifest, vision::CropMode,
};
use std::{
    ptr,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
};

/// Policy: the bundle's calibrated default, which is OCELLUS_POLICY_ENTROPY_CASCADE with the bundle's numbers.
pub const OCELLUS_POLICY_BUNDLE: i32 = 0;
/// Policy: always `resolution`.
pub const OCELLUS_POLICY_FIXED: i32 = 1;
/// Policy: the frame's entropy picks the resolution; below 4.0 bits, below 7.0 bits and above, or by `thresholds_bits`.
pub const OCELLUS_POLICY_ENTROPY: i32 = 2;
/// Policy: starts at `resolution`, and goes to the highest where the answer's margin is below `margin`.
pub const OCELLUS_POLICY_CASCADE: i32 = 3;
/// Policy: the entropy picks the first resolution, a margin below `margin` goes to the highest.
pub const OCELLUS_POLICY_ENTROPY_CASCADE: i32 = 4;

/// Crop: the square in the middle of the frame. What lies beside it is not seen.
pub const OCELLUS_CROP_CENTRE: i32 = 0;
/// Crop: the whole frame, its proportions squashed.
pub const OCELLUS_CROP_SQUASH: i32 = 1;
/// Crop: squares side by side over the whole frame, each encoded by itself; a label's best score counts.
pub const OCELLUS_CROP_TILES: i32 = 2;

/// A runtime, a policy and labels: frames go in, answers come out. One thread uses a session at a time; a call that
/// comes while another thread is inside one returns OCELLUS_E_BUSY at once.
pub struct ocellus_session {
    _opaque: [u8; 0],
}

/// A session and what keeps it.
pub(crate) struct Session {
    state: Mutex<State>,
    pub runtime: Arc<Runtime>,
}

/// What one call at a time works on.
pub(crate) struct State {
    pub session: ocellus::Session,
    /// Where the labels were in the last frame, by their index, and what was seen of it.
    pub places: Option<(Vec<Place>, Vec<Seen>)>,
}

impl Handled for Session {
    type Token = ocellus_session;
    const NAME: &'static str = "session";
    fn table() -> &'static Table<Session> {
        static TABLE: Table<Session> = Table::new();
        &TABLE
    }
}

impl Session {
    fn lock(&self) -> Result<MutexGuard<'_, State>, Failure> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            // Whatever panicked had no effect: a state changes at the end of a call, and all at once.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                OCELLUS_E_BUSY,
                "another call with this session has not returned; give each thread a session of its own",
            )),
        }
    }
}

/// Runs `body` with the session that a handle stands for.
pub(crate) fn with(
    handle: *const ocellus_session,
    body: impl FnOnce(&mut State, &Runtime) -> Result<(), Failure>,
) -> i32 {
    guard::call(|| {
        let session = handle::get::<Session>(handle)?;
        session.runtime.log.failures(|| {
            let mut state = session.lock()?;
            guard::checkpoint();
            body(&mut state, &session.runtime)
        })
    })
}

/// How a session looks at frames. Set up by ocellus_session_options_init. A number that the policy does not use must be
/// left as it was set up.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ocellus_session_options {
    /// Set by ocellus_session_options_init.
    pub struct_size: u32,
    /// OCELLUS_POLICY_...: how the resolution is chosen. OCELLUS_POLICY_BUNDLE.
    pub policy: i32,
    /// Side of the encoder's input in pixels, one of the bundle's: for OCELLUS_POLICY_FIXED, and for
    /// OCELLUS_POLICY_CASCADE, where 0 is the middle one. 0.
    pub resolution: u32,
    /// The least margin of a sure answer, 0 to 1; negative: the bundle's. -1.
    pub margin: f32,
    /// Entropies in bits at which the resolution rises, one fewer than the bundle's resolutions, rising; copied. NULL:
    /// those of the policy. NULL.
    pub thresholds_bits: *const f32,
    /// How many thresholds. 0.
    pub threshold_count: u32,
    /// OCELLUS_CROP_...: which part of a frame is seen. OCELLUS_CROP_CENTRE.
    pub crop: i32,
    /// 1: ocellus_session_relevance says where labels are, which takes time with each frame. 0.
    pub relevance: i32,
    /// Height in cells of the blocks that choose labels together; 0: the bundle's. Only with relevance. 0.
    pub block_height: u32,
    /// Width in cells of the blocks; 0: the bundle's. Only with relevance. 0.
    pub block_width: u32,
    /// How many labels a block attends to; 0: the bundle's. Only with relevance. 0.
    pub top_k: u32,
}

// SAFETY: repr(C), size first; the pointer is any bytes but is only read where the caller set it.
unsafe impl Versioned for ocellus_session_options {
    const NAME: &'static str = "ocellus_session_options";
    const FIRST: usize = 48;
    fn defaults() -> ocellus_session_options {
        ocellus_session_options {
            struct_size: size_of::<ocellus_session_options>() as u32,
            policy: OCELLUS_POLICY_BUNDLE,
            resolution: 0,
            margin: -1.0,
            thresholds_bits: ptr::null(),
            threshold_count: 0,
            crop: OCELLUS_CROP_CENTRE,
            relevance: 0,
            block_height: 0,
            block_width: 0,
            top_k: 0,
        }
    }
}

/// Sets session options up: every field has the value that its comment ends with.
///
/// struct_size    sizeof(ocellus_session_options)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_options_init(
    options: *mut ocellus_session_options,
    struct_size: u32,
) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(options, struct_size) })
}

/// Makes a session, without labels yet.
///
/// runtime    may be freed before the session is.
/// options    NULL: the defaults.
/// session    receives a handle that the caller frees with ocellus_session_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT; OCELLUS_E_POLICY where the policy
/// does not fit the bundle; OCELLUS_E_NO_RELEVANCE where the bundle cannot say where labels are. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_new(
    runtime: *const ocellus_runtime,
    options: *const ocellus_session_options,
    session: *mut *mut ocellus_session,
) -> i32 {
    guard::call(|| {
        let to = place(session, "session")?;
        let runtime = handle::get::<Runtime>(runtime)?;
        let made = runtime.log.failures(|| {
            let options = match options.is_null() {
                true => ocellus_session_options::defaults(),
                // SAFETY: not NULL, and as long as it says by the caller's word.
                false => unsafe { sized::read(options)? },
            };
            let engine = Arc::clone(&runtime.engine);
            let manifest = engine.bundle().manifest();
            // SAFETY: the thresholds are as many as it says by the caller's word.
            let options = unsafe { options.convert(manifest)? };
            Ok(ocellus::Session::new(engine, options)?)
        })?;
        let state = State {
            session: made,
            places: None,
        };
        let handle = handle::put(Session {
            state: Mutex::new(state),
            runtime: Arc::clone(&runtime),
        });
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

impl ocellus_session_options {
    /// # Safety
    /// `thresholds_bits` points to `threshold_count` numbers.
    unsafe fn convert(&self, manifest: &Manifest) -> Result<SessionOptions, Failure> {
        let crop = match self.crop {
            OCELLUS_CROP_CENTRE => CropMode::Centre,
            OCELLUS_CROP_SQUASH => CropMode::Squash,
            OCELLUS_CROP_TILES => CropMode::Tiles,
            other => return Err(out_of_range("crop", OCELLUS_CROP_TILES, other)),
        };
        Ok(SessionOptions {
            // SAFETY: handed through.
            policy: Some(unsafe { self.policy(manifest)? }),
            crop,
            relevance: self.relevance(manifest)?,
            ..SessionOptions::default()
        })
    }

    /// # Safety
    /// As [`ocellus_session_options::convert`].
    unsafe fn policy(&self, manifest: &Manifest) -> Result<Policy, Failure> {
        let count = self.threshold_count as usize;
        // SAFETY: handed through.
        let given = unsafe { pointer::slice(self.thresholds_bits, count, "thresholds_bits")? };
        let unused = |field: &str| {
            Err(Failure::argument(format!(
                "ocellus_session_options: {field} has no meaning for policy {}; leave it as it was set up",
                self.policy
            )))
        };
        let (by_side, by_entropy, by_margin) = match self.policy {
            OCELLUS_POLICY_BUNDLE => (false, false, false),
            OCELLUS_POLICY_FIXED => (true, false, false),
            OCELLUS_POLICY_ENTROPY => (false, true, false),
            OCELLUS_POLICY_CASCADE => (true, false, true),
            OCELLUS_POLICY_ENTROPY_CASCADE => (false, true, true),
            other => {
                return Err(out_of_range(
                    "policy",
                    OCELLUS_POLICY_ENTROPY_CASCADE,
                    other,
                ));
            }
        };
        if !by_side && self.resolution != 0 {
            return unused("resolution");
        }
        if !by_entropy && (count > 0 || !self.thresholds_bits.is_null()) {
            return unused("thresholds_bits");
        }
        let own_margin = self.margin >= 0.0 || self.margin.is_nan();
        if !by_margin && own_margin {
            return unused("margin");
        }
        let margin = match own_margin {
            true => self.margin,
            false => manifest.policy.margin,
        };
        let thresholds = |default: &[f32]| match given {
            [] => default.to_vec(),
            given => given.to_vec(),
        };
        let resolutions = &manifest.image.resolutions;
        Ok(match self.policy {
            OCELLUS_POLICY_FIXED => Policy::Fixed(self.resolution),
            OCELLUS_POLICY_ENTROPY => Policy::Entropy {
                thresholds_bits: thresholds(&Policy::ENTROPY_BITS),
            },
            OCELLUS_POLICY_CASCADE => Policy::Cascade {
                start: match self.resolution {
                    0 => resolutions[resolutions.len() / 2],
                    side => side,
                },
                margin,
            },
            OCELLUS_POLICY_ENTROPY_CASCADE => Policy::EntropyCascade {
                thresholds_bits: thresholds(&manifest.policy.entropy_bits),
                margin,
            },
            _ => Policy::of(manifest),
        })
    }

    fn relevance(&self, manifest: &Manifest) -> Result<Relevance, Failure> {
        let sizes = [self.block_height, self.block_width, self.top_k];
        match self.relevance {
            0 if sizes != [0; 3] => Err(Failure::argument(
                "ocellus_session_options: block_height, block_width and top_k have no meaning without relevance",
            )),
            0 => Ok(Relevance::Off),
            1 => Ok(manifest
                .relevance
                .as_ref()
                .map_or(Relevance::Calibrated, |defaults| {
                    let or = |size: u32, default: usize| match size {
                        0 => default,
                        size => size as usize,
                    };
                    Relevance::Blocks(Blocks {
                        block: [
                            or(self.block_height, defaults.block[0]),
                            or(self.block_width, defaults.block[1]),
                        ],
                        top_k: or(self.top_k, defaults.top_k),
                    })
                })),
            other => Err(out_of_range("relevance", 1, other)),
        }
    }
}

fn out_of_range(field: &str, most: i32, got: i32) -> Failure {
    Failure::argument(format!(
        "ocellus_session_options: {field}: expected 0 to {most}, got {got}"
    ))
}

/// Makes every resolution ready that the policy may choose, so that no frame waits for it. Takes from tens of
/// milliseconds to a second for each.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_BUSY, OCELLUS_E_MODEL. One thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_warm_up(session: *mut ocellus_session) -> i32 {
    with(session, |state, _| Ok(state.session.warm_up()?))
}

/// Frees a session. A call of another thread that is inside it ends as if it were not freed. NULL is fine.
///
/// Errors: OCELLUS_E_HANDLE where it was freed before. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_session_free(session: *mut ocellus_session) -> i32 {
    guard::call(|| handle::free::<Session>(session))
}
