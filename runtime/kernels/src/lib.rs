//! SIMD kernels and their scalar twins; knows numbers, not models.
//!
//! Every kernel exists as a scalar specification, written for reading, and as one twin per instruction set that is
//! worth it. A twin's file is named for its data type, operation, tile and instruction set. The operation's folder
//! holds them all and one safe function that dispatches over [`Isa`], the proof of what the CPU can do.
//!
//! Limits: no threads, no detection, and no allocation but the text of an error. `ocellus-sys` detects; the caller
//! owns every buffer. Shapes that contradict each other are a mistake of the calling code, not input: they panic.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(test)]
mod harness;
mod isa;
mod qs8_gemv;
mod quantize;

#[cfg(target_arch = "aarch64")]
pub use isa::{DotProd, Neon};
pub use isa::{Isa, Tier, UnknownTier};
pub use qs8_gemv::{MAX_GEMV_K, qs8_gemv};
pub use quantize::quantize_symmetric;
