//! SIMD kernels and their scalar twins; knows numbers, not models.
//!
//! Every kernel exists as a scalar specification, written for reading, and as one twin per instruction set that is
//! worth it. A twin's file is named for its data type, operation, tile and instruction set. The operation's folder
//! holds them all and one safe function that dispatches over [`Isa`], the proof of what the CPU can do.
//!
//! Limits: no allocation, no threads, no detection. `ocellus-sys` detects; the caller owns every buffer.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod isa;

#[cfg(target_arch = "aarch64")]
pub use isa::{DotProd, Neon};
pub use isa::{Isa, Tier, UnknownTier};
