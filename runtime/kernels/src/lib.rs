//! SIMD kernels and their scalar twins; knows numbers, not models.
//!
//! Every kernel exists as a scalar specification, written for reading, and as one twin per instruction set that is
//! worth it. A twin's file is named for its data type, operation, tile and instruction set. The operation's folder
//! holds them all and one safe function that dispatches over [`Isa`], the proof of what the CPU can do.
//!
//! Limits: no threads, no detection, and no allocation but packed weights and the room of an attention, at load, and the text of an error.
//! `ocellus-sys` detects; the caller owns every buffer of a run. Shapes that contradict each other are a mistake of the calling code, not input: they panic.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod attention;
mod columns;
mod divisor;
mod exp;
#[cfg(target_arch = "aarch64")]
mod exp_neon;
mod f32_attention;
mod f32_gelu;
mod f32_layer_norm;
mod f32_range;
mod f32_round;
mod f32_softmax;
#[cfg(target_arch = "aarch64")]
mod finish_text;
#[cfg(test)]
mod harness;
mod isa;
mod lanes;
mod qs8_add;
mod qs8_cast;
mod qs8_conv;
mod qs8_dwconv;
mod qs8_gavgpool;
mod qs8_gemm;
mod qs8_gemv;
mod qs8_maxpool;
mod qs8_mul;
mod qs8_scan;
mod qs8_table;
mod qs8_turn;
mod quantize;
#[cfg(target_arch = "aarch64")]
mod reals_neon;
mod requantize;
#[cfg(target_arch = "aarch64")]
mod requantize_neon;
mod resample;
#[cfg(target_arch = "aarch64")]
mod stream;
mod weights;
mod window;

pub use attention::{
    BlockAttention, MAX_MAGNITUDE, MapShape, Outputs, PackedTokens, Precision, QueryError, Tokens,
    TokensError,
};
pub use columns::Columns;
pub use divisor::Divisor;
pub use f32_attention::{AttentionHead, Strided};
pub use f32_gelu::{Gelu, f32_gelu};
pub use f32_layer_norm::f32_layer_norm;
pub use f32_range::f32_range;
pub use f32_round::{Grid, f32_round, f32_round_sums};
pub use f32_softmax::f32_softmax;
#[cfg(target_arch = "aarch64")]
pub use isa::{DotProd, Neon};
pub use isa::{Isa, Tier, UnknownTier};
pub use qs8_add::{AddScales, qs8_add};
pub use qs8_cast::{
    Affine, Quantizer, dequantize, dequantize_add, dequantize_planes, quantize, quantize_pixels,
    quantize_planes,
};
pub use qs8_conv::{PackedConv, PackedRealConv};
pub use qs8_dwconv::{PackedDepthwise, Share};
pub use qs8_gavgpool::{MAX_POOL_PIXELS, pool_to_f32, pool_to_s8, qs8_channel_sums};
pub use qs8_gemm::{Numbers, PackedGemm, PackedRealGemm};
pub use qs8_gemv::{MAX_GEMV_K, qs8_gemv};
pub use qs8_maxpool::MaxPool;
pub use qs8_mul::{MulScales, qs8_mul};
pub use qs8_scan::{
    PANEL_ROWS, SCAN_STEP, ScanQuery, panel_bytes, panel_row, put_panel_row, qs8_scan, row_scale,
};
pub use qs8_table::{qs8_table, qs8_table_rows};
pub use qs8_turn::qs8_turn;
pub use quantize::quantize_symmetric;
pub use requantize::{Epilogue, PackError};
pub use resample::{Lane, ROWS_ACROSS, Rows, Taps, across_space, resample_across, resample_down};
pub use weights::weight_sums;
pub use window::Window;
