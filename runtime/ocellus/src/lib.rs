//! Ocellus: an offline vision-language runtime for ARM cameras.
//!
//! A frame and words go in; which words fit, where, how sure that is, and how long each stage took come out:
//!
//! ```text
//! frame -- look -- resize -- encode -- heads -- report
//!           |        ^                  |
//!           '--------'---- escalate ----'
//! words -- prompts -- tokens -- text encoder -- label embeddings (cached)
//! ```
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use ocellus::{Bundle, Engine, Session, SessionOptions, vision::Frame};
//!
//! # fn main() -> Result<(), ocellus::Error> {
//! let bundle = Bundle::open(Path::new("my-bundle"))?;
//! let engine = Arc::new(Engine::load(bundle, ocellus::detect_isa())?);
//! let mut session = Session::new(engine, SessionOptions::default())?;
//! session.set_labels(vec!["a bus".into(), "a dog".into()])?;
//! let pixels = vec![0u8; 640 * 480 * 3];
//! let report = session.infer(&Frame::rgb(640, 480, &pixels)?)?;
//! println!("{} {}", report.labels[0].label, report.labels[0].probability);
//! # Ok(()) }
//! ```
//!
//! **Invariants.** Models are bytes: nothing here gives a path a meaning beyond reading a bundle's folder. The caller's
//! frame is read once per view. No sockets, no environment variables, no global state.
#![forbid(unsafe_code)]

pub mod attention;
pub mod bundle;
mod engine;
mod error;
mod examples;
mod golden;
pub mod heads;
mod image_encoder;
mod memory;
mod pace;
mod pack;
mod pipeline;
mod policy;
mod prompting;
mod query;
mod reading;
mod relevance;
mod report;
pub mod route;
mod session;
mod text_encoder;
mod words;

pub use bundle::Bundle;
pub use engine::{Embedded, Engine, Resources};
pub use error::Error;
pub use examples::{Blend, Examples, ExamplesError, MAX_EXAMPLES};
pub use golden::GoldenCheck;
pub use heads::Probabilities;
pub use memory::MemoryLimit;
pub use ocellus_encoder as encoder;
pub use ocellus_kernels::{Isa, Tier};
pub use ocellus_language as language;
pub use ocellus_sys as sys;
pub use ocellus_sys::Pool;
pub use ocellus_vision as vision;
pub use pack::{PackError, Packed};
pub use policy::Policy;
pub use prompting::PromptOptions;
pub use query::Query;
pub use reading::{Reader, Reading};
pub use relevance::{Blocks, Grid, Peak, Place};
pub use report::{BundleId, Hit, Report, Seen, StagesUs, Taught};
pub use session::{Relevance, Session, SessionOptions};

/// The best instruction set that this machine has kernels for.
pub fn detect_isa() -> Isa {
    ocellus_sys::isa::detect()
}
