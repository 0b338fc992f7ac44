//! A session's options as C gives them, and what they mean for a bundle.

use crate::{
    guard, pointer,
    sized::{self, Versioned},
    status::Failure,
    submit::ocellus_result_fn,
};
use ocellus::{
    Blocks, Policy, PromptOptions, Relevance, SessionOptions, bundle::Manifest,
    language::MAX_LABEL_BYTES, vision::CropMode,
};
use std::{
    ffi::{c_char, c_void},
    ptr,
    time::Duration,
};

/// No session needs more templates: each is a run of the text encoder for each label.
const MAX_TEMPLATES: usize = 256;

/// Policy: the bundle's calibrated default, which is OCELLUS_POLICY_ENTROPY_CASCADE with the bundle's numbers.
pub const OCELLUS_POLICY_BUNDLE: i32 = 0;
/// Policy: always `resolution`.
pub const OCELLUS_POLICY_FIXED: i32 = 1;
/// Policy: the frame's entropy picks the resolution; below 4.0 bits, below 7.0 bits and above, or by `thresholds_bits`.
/// Where the bundle has other than three resolutions, by the bundle's thresholds.
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
/// Crop: OCELLUS_CROP_TILES of frames of 7:4 and wider, or as tall, OCELLUS_CROP_CENTRE of others.
pub const OCELLUS_CROP_AUTO: i32 = 3;

/// When a frame waits and another one is submitted: the newest wins, and the one that waits is dropped.
pub const OCELLUS_WHEN_BUSY_REPLACE: i32 = 0;
/// When a frame waits and another one is submitted: the other one is refused with OCELLUS_E_BUSY.
pub const OCELLUS_WHEN_BUSY_REFUSE: i32 = 1;

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
    /// Takes the answers of ocellus_session_submit. NULL: the session has no worker, and ocellus_session_submit is
    /// refused. NULL.
    pub on_result: ocellus_result_fn,
    /// Handed to `on_result` as it is. NULL.
    pub on_result_context: *mut c_void,
    /// OCELLUS_WHEN_BUSY_...: what happens to a frame that is submitted while another one waits. Only with on_result.
    /// OCELLUS_WHEN_BUSY_REPLACE.
    pub when_busy: i32,
    /// Microseconds: the answer of a frame that waited longer carries OCELLUS_RESULT_STALE; 0: none does. Only with
    /// on_result. 0.
    pub stale_after_us: u32,
    /// Microseconds: an unsure answer stands, and carries OCELLUS_RESULT_DEGRADED, where one at a higher resolution would
    /// end later than this after the frame came in, by how long the last such took (if that was in the last ten
    /// seconds); 0: no limit. 0.
    pub budget_us: u32,
    /// Sentences with {} once in each, where a label goes, instead of the bundle's; their embeddings are averaged. Texts in
    /// UTF-8 with a NUL, copied. NULL: the bundle's. NULL.
    pub templates: *const *const c_char,
    /// How many templates, at most 256. 0.
    pub template_count: u32,
    /// The share of the bundle's soft prompts beside the templates, 0 to 1; negative: the bundle's. -1.
    pub prompt_mix: f32,
}

// SAFETY: repr(C), size first; pointers are any bytes but are only followed where the caller set them.
unsafe impl Versioned for ocellus_session_options {
    const NAME: &'static str = "ocellus_session_options";
    const FIRST: usize = 80;
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
            on_result: None,
            on_result_context: ptr::null_mut(),
            when_busy: OCELLUS_WHEN_BUSY_REPLACE,
            stale_after_us: 0,
            budget_us: 0,
            templates: ptr::null(),
            template_count: 0,
            prompt_mix: -1.0,
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

/// What a session's frames are asked, whatever the bundle: checked as far as that goes.
pub(crate) struct Wanted {
    policy: i32,
    resolution: u32,
    /// `None` is the bundle's.
    margin: Option<f32>,
    /// None are those of the policy.
    thresholds_bits: Vec<f32>,
    crop: CropMode,
    /// Height, width and top k of the blocks, 0 where they are the bundle's, if relevance is asked for.
    relevance: Option<[u32; 3]>,
    budget: Option<Duration>,
    prompts: PromptOptions,
}

impl ocellus_session_options {
    /// # Safety
    /// `thresholds_bits` points to `threshold_count` numbers, `templates` to `template_count` texts.
    pub(crate) unsafe fn wanted(&self) -> Result<Wanted, Failure> {
        let crop = crop(self.crop, Self::NAME)?;
        let count = self.threshold_count as usize;
        // SAFETY: handed through.
        let given = unsafe { pointer::slice(self.thresholds_bits, count, "thresholds_bits")? };
        let (by_side, by_entropy, by_margin) = match self.policy {
            OCELLUS_POLICY_BUNDLE => (false, false, false),
            OCELLUS_POLICY_FIXED => (true, false, false),
            OCELLUS_POLICY_ENTROPY => (false, true, false),
            OCELLUS_POLICY_CASCADE => (true, false, true),
            OCELLUS_POLICY_ENTROPY_CASCADE => (false, true, true),
            other => {
                return Err(out_of_range(
                    Self::NAME,
                    "policy",
                    OCELLUS_POLICY_ENTROPY_CASCADE,
                    other,
                ));
            }
        };
        let policy = format!("for policy {}", self.policy);
        if !by_side && self.resolution != 0 {
            return Err(unused("resolution", &policy));
        }
        if !by_entropy && (count > 0 || !self.thresholds_bits.is_null()) {
            return Err(unused("thresholds_bits", &policy));
        }
        let margin = Some(self.margin).filter(|margin| *margin >= 0.0 || margin.is_nan());
        if !by_margin && margin.is_some() {
            return Err(unused("margin", &policy));
        }
        let blocks = [self.block_height, self.block_width, self.top_k];
        let relevance = match self.relevance {
            0 if blocks != [0; 3] => {
                return Err(unused(
                    "block_height, block_width or top_k",
                    "without relevance",
                ));
            }
            0 => None,
            1 => Some(blocks),
            other => return Err(out_of_range(Self::NAME, "relevance", 1, other)),
        };
        if !(OCELLUS_WHEN_BUSY_REPLACE..=OCELLUS_WHEN_BUSY_REFUSE).contains(&self.when_busy) {
            return Err(out_of_range(
                Self::NAME,
                "when_busy",
                OCELLUS_WHEN_BUSY_REFUSE,
                self.when_busy,
            ));
        }
        if self.on_result.is_none() && (self.when_busy, self.stale_after_us) != (0, 0) {
            return Err(unused("when_busy or stale_after_us", "without on_result"));
        }
        let budget = Duration::from_micros(self.budget_us.into());
        Ok(Wanted {
            policy: self.policy,
            resolution: self.resolution,
            margin,
            thresholds_bits: given.to_vec(),
            crop,
            relevance,
            budget: Some(budget).filter(|budget| !budget.is_zero()),
            // SAFETY: handed through.
            prompts: unsafe { self.prompts()? },
        })
    }

    /// # Safety
    /// `templates` points to `template_count` texts with a NUL each.
    unsafe fn prompts(&self) -> Result<PromptOptions, Failure> {
        let count = self.template_count as usize;
        if count > MAX_TEMPLATES {
            let message = format!(
                "ocellus_session_options: template_count: expected at most {MAX_TEMPLATES}, got {count}"
            );
            return Err(Failure::argument(message));
        }
        // SAFETY: handed through.
        let given = unsafe { pointer::slice(self.templates, count, "templates")? };
        let read = |(index, text): (usize, &*const c_char)| {
            let what = format!("templates[{index}]");
            // SAFETY: a text with a NUL by the caller's word.
            let bytes = unsafe { pointer::bytes(*text, None, MAX_LABEL_BYTES, &what)? };
            let bytes = bytes.ok_or_else(|| {
                Failure::argument(format!("{what}: expected at most {MAX_LABEL_BYTES} bytes"))
            })?;
            Ok(pointer::utf8(bytes, &what)?.to_owned())
        };
        let templates = given.iter().enumerate().map(read);
        Ok(PromptOptions {
            templates: templates.collect::<Result<_, Failure>>()?,
            mix: Some(self.prompt_mix).filter(|mix| *mix >= 0.0 || mix.is_nan()),
        })
    }
}

impl Wanted {
    /// The options of a session on a bundle.
    pub fn on(&self, manifest: &Manifest) -> SessionOptions {
        SessionOptions {
            policy: Some(self.policy(manifest)),
            crop: self.crop,
            relevance: self.relevance(manifest),
            budget: self.budget,
            prompts: self.prompts.clone(),
            ..SessionOptions::default()
        }
    }

    fn policy(&self, manifest: &Manifest) -> Policy {
        let margin = self.margin.unwrap_or(manifest.policy.margin);
        let thresholds = |default: &[f32]| match &self.thresholds_bits[..] {
            [] => default.to_vec(),
            given => given.to_vec(),
        };
        let resolutions = &manifest.image.resolutions;
        match self.policy {
            OCELLUS_POLICY_FIXED => Policy::Fixed(self.resolution),
            OCELLUS_POLICY_ENTROPY => match self.thresholds_bits.is_empty() {
                true => Policy::entropy_of(manifest),
                false => Policy::Entropy {
                    thresholds_bits: self.thresholds_bits.clone(),
                },
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
        }
    }

    fn relevance(&self, manifest: &Manifest) -> Relevance {
        let Some(blocks) = self.relevance else {
            return Relevance::Off;
        };
        let Some(defaults) = &manifest.relevance else {
            return Relevance::Calibrated;
        };
        let [height, width] = defaults.block;
        let [height, width, top_k] = [
            (blocks[0], height),
            (blocks[1], width),
            (blocks[2], defaults.top_k),
        ]
        .map(|(given, default)| match given {
            0 => default,
            given => given as usize,
        });
        Relevance::Blocks(Blocks {
            block: [height, width],
            top_k,
        })
    }
}

/// The crop of a struct of this name.
pub(crate) fn crop(crop: i32, of: &str) -> Result<CropMode, Failure> {
    match crop {
        OCELLUS_CROP_CENTRE => Ok(CropMode::Centre),
        OCELLUS_CROP_SQUASH => Ok(CropMode::Squash),
        OCELLUS_CROP_TILES => Ok(CropMode::Tiles),
        OCELLUS_CROP_AUTO => Ok(CropMode::Auto),
        other => Err(out_of_range(of, "crop", OCELLUS_CROP_AUTO, other)),
    }
}

fn unused(field: &str, when: &str) -> Failure {
    Failure::argument(format!(
        "ocellus_session_options: {field} has no meaning {when}; leave it as it was set up"
    ))
}

fn out_of_range(of: &str, field: &str, most: i32, got: i32) -> Failure {
    Failure::argument(format!("{of}: {field}: expected 0 to {most}, got {got}"))
}
