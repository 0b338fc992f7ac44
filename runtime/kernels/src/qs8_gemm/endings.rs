//! How an ARM loop's epilogue ends, as a number that a generic can be.

/// Bytes, rounded the plain way of [`requantize_neon`](crate::requantize_neon).
pub const PLAIN: u8 = 0;

/// Bytes, rounded the short way.
pub const SHORT: u8 = 1;

/// Reals: scaled, and a number for each channel added.
pub const REAL: u8 = 2;

/// The bytes of an output element.
pub const fn element(ending: u8) -> usize {
    if ending == REAL { 4 } else { 1 }
}
