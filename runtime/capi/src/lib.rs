//! The C library: `libocellus.so`, `libocellus.a` and `include/ocellus.h`, for firmware that is written in C.
//!
//! The header is the manual, and is generated from what stands here: comments of public items are written for a reader
//! of C. This crate computes nothing. It turns pointers into checked values ([`pointer`], [`sized`]), handles into things
//! that live ([`handle`]), errors into status codes ([`status`]), and lets no panic out ([`guard`]).
//!
//! **Invariants.** Every pointer is checked before it is used. Outputs are written only when a call succeeds. Nothing is
//! printed, no signal is raised, no environment variable is read but tract's own. The state of the process that this
//! library keeps is its table of handles, its panic hook and its count of the memory it uses ([`memory`]). It starts no thread
//! but the workers of sessions that ask for one and the threads that a runtime's options ask for.
//!
//! Limits: an allocation that fails ends the process, as everywhere in Rust; sizes from outside are bounded before
//! anything is allocated for them.
#![deny(unsafe_op_in_unsafe_fn)]
// The names are C's, and what a caller owes stands in the header, once for all functions.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod bundle;
mod embed;
mod frame;
mod guard;
mod handle;
mod infer;
mod labels;
mod line;
mod log;
mod memory;
mod options;
mod planes;
mod pointer;
mod queue;
mod relevance;
mod route;
mod router;
mod runtime;
mod session;
mod shared;
mod sized;
mod status;
mod submit;
mod swap;
mod teach;
mod version;
mod worker;

pub use bundle::*;
pub use embed::*;
pub use frame::*;
pub use infer::*;
pub use labels::*;
pub use log::*;
pub use memory::*;
pub use options::*;
pub use relevance::*;
pub use route::*;
pub use router::*;
pub use runtime::*;
pub use session::*;
pub use status::*;
pub use submit::*;
pub use swap::*;
pub use teach::*;
pub use version::*;

#[cfg(test)]
mod tests;
