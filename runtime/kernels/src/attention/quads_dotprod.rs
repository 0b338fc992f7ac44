//! Scores of four cells that lie as quads, as assembly: queries stay in registers while the chosen keys pass, four at a
//! time. The compiler would spill the queries.
//!
//! v0-v15: up to 64 elements of the four cells, a quad of elements in each; v16-v19: sums of four tokens, cells as lanes; v20-v27: the
//! bytes of two keys, then multipliers; v31: the greatest scores.

use super::vector::{Cells, Strips};
use core::arch::{aarch64::*, asm};

/// Writes the scores of all tokens and gives the greatest of each cell.
///
/// # Safety
///
/// As [`attend`](super::attend_dotprod::attend), with pointers at a head.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn score_quads(
    cells: &Cells<i8>,
    bytes: *const i8,
    keys: *const i8,
    strips: &mut Strips,
) -> float32x4_t {
    let run = Run {
        list: cells.lists[0],
        multipliers: strips.multipliers.as_ptr(),
        weights: strips.weights.as_mut_ptr(),
        count: cells.padded_count,
    };
    // SAFETY: the caller's promise; four cells have four bytes an element.
    unsafe {
        match cells.stride {
            64 => whole_64(run, bytes, keys),
            128 => {
                first_64(run, bytes, keys);
                last_64(run, bytes.add(256), keys.add(64))
            }
            _ => score_parts(run, cells.stride, bytes, keys),
        }
    }
}

/// The same for heads of any `stride`.
///
/// # Safety
///
/// As [`score_quads`].
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
unsafe fn score_parts(run: Run, stride: usize, bytes: *const i8, keys: *const i8) -> float32x4_t {
    let mut at = 0;
    // SAFETY: the caller's promise; parts are inside of the head, and four cells have four bytes an element.
    unsafe {
        while stride - at > 64 {
            let (bytes, keys) = (bytes.add(4 * at), keys.add(at));
            match at {
                0 => first_64(run, bytes, keys),
                _ => next_64(run, bytes, keys),
            };
            at += 64;
        }
        let (bytes, keys) = (bytes.add(4 * at), keys.add(at));
        match ((stride - at) / 16, at) {
            (4, 0) => whole_64(run, bytes, keys),
            (3, 0) => whole_48(run, bytes, keys),
            (2, 0) => whole_32(run, bytes, keys),
            (1, 0) => whole_16(run, bytes, keys),
            (4, _) => last_64(run, bytes, keys),
            (3, _) => last_48(run, bytes, keys),
            (2, _) => last_32(run, bytes, keys),
            _ => last_16(run, bytes, keys),
        }
    }
}

/// What all parts of a head share.
#[derive(Clone, Copy)]
struct Run {
    /// `[count]`
    list: *const usize,
    /// `[count]`
    multipliers: *const [f32; 4],
    /// `[count]`: sums between parts, scores behind the last.
    weights: *mut [f32; 4],
    /// Tokens, a multiple of four, not zero.
    count: usize,
}

/// Sixteen elements of a key times the four cells.
macro_rules! sixteen {
    ($sum:literal $k:literal, $($lane:literal $q:literal)*) => {
        concat!($("sdot v", $sum, ".4s, v", $q, ".16b, v", $k, ".4b[", $lane, "]\n",)*)
    };
}

/// Two keys, at `k` and `l`, times the four cells.
macro_rules! keys {
    (64, $s:literal $t:literal, $k:literal $l:literal) => {
        concat!(
            "ldp q20, q21, [", $k, "]\n",
            "ldp q24, q25, [", $l, "]\n",
            "ldp q22, q23, [", $k, ", #32]\n",
            "ldp q26, q27, [", $l, ", #32]\n",
            sixteen!($s 20, 0 0 1 1 2 2 3 3), sixteen!($t 24, 0 0 1 1 2 2 3 3),
            sixteen!($s 21, 0 4 1 5 2 6 3 7), sixteen!($t 25, 0 4 1 5 2 6 3 7),
            sixteen!($s 22, 0 8 1 9 2 10 3 11), sixteen!($t 26, 0 8 1 9 2 10 3 11),
            sixteen!($s 23, 0 12 1 13 2 14 3 15), sixteen!($t 27, 0 12 1 13 2 14 3 15),
        )
    };
    (48, $s:literal $t:literal, $k:literal $l:literal) => {
        concat!(
            "ldp q20, q21, [", $k, "]\n",
            "ldp q24, q25, [", $l, "]\n",
            "ldr q22, [", $k, ", #32]\n",
            "ldr q26, [", $l, ", #32]\n",
            sixteen!($s 20, 0 0 1 1 2 2 3 3), sixteen!($t 24, 0 0 1 1 2 2 3 3),
            sixteen!($s 21, 0 4 1 5 2 6 3 7), sixteen!($t 25, 0 4 1 5 2 6 3 7),
            sixteen!($s 22, 0 8 1 9 2 10 3 11), sixteen!($t 26, 0 8 1 9 2 10 3 11),
        )
    };
    (32, $s:literal $t:literal, $k:literal $l:literal) => {
        concat!(
            "ldp q20, q21, [", $k, "]\n",
            "ldp q24, q25, [", $l, "]\n",
            sixteen!($s 20, 0 0 1 1 2 2 3 3), sixteen!($t 24, 0 0 1 1 2 2 3 3),
            sixteen!($s 21, 0 4 1 5 2 6 3 7), sixteen!($t 25, 0 4 1 5 2 6 3 7),
        )
    };
    (16, $s:literal $t:literal, $k:literal $l:literal) => {
        concat!(
            "ldr q20, [", $k, "]\n",
            "ldr q24, [", $l, "]\n",
            sixteen!($s 20, 0 0 1 1 2 2 3 3), sixteen!($t 24, 0 0 1 1 2 2 3 3),
        )
    };
}

/// Loads the queries of a part.
macro_rules! queries {
    (64) => {
        concat!(
            queries!(48),
            "ldp q12, q13, [{q}, #192]\nldp q14, q15, [{q}, #224]\n"
        )
    };
    (48) => {
        concat!(
            queries!(32),
            "ldp q8, q9, [{q}, #128]\nldp q10, q11, [{q}, #160]\n"
        )
    };
    (32) => {
        concat!(
            queries!(16),
            "ldp q4, q5, [{q}, #64]\nldp q6, q7, [{q}, #96]\n"
        )
    };
    (16) => {
        "ldp q0, q1, [{q}]\nldp q2, q3, [{q}, #32]\n"
    };
}

/// Sums start from nothing, or from what the last part left.
macro_rules! start {
    (zero) => {
        "movi v16.4s, #0\nmovi v17.4s, #0\nmovi v18.4s, #0\nmovi v19.4s, #0\n"
    };
    (sums) => {
        "ldp q16, q17, [{w}]\nldp q18, q19, [{w}, #32]\n"
    };
}

/// Sums become scores, or are left to the next part, which names the operand all the same: assembly must use each.
macro_rules! end {
    (scores) => {
        concat!(
            "ldp q20, q21, [{m}], #32\n",
            "ldp q22, q23, [{m}], #32\n",
            end!(16 20), end!(17 21), end!(18 22), end!(19 23),
        )
    };
    (sums) => { "/* {m} */" };
    ($s:literal $m:literal) => {
        concat!(
            "scvtf v", $s, ".4s, v", $s, ".4s\n",
            "fmul v", $s, ".4s, v", $s, ".4s, v", $m, ".4s\n",
            "fmax v31.4s, v31.4s, v", $s, ".4s\n",
        )
    };
}

/// A function for a part of a head.
macro_rules! part {
    ($name:ident, $n:tt, $start:tt, $end:tt) => {
        /// # Safety
        ///
        /// See [`score_quads`].
        #[inline]
        #[target_feature(enable = "neon,dotprod")]
        unsafe fn $name(run: Run, bytes: *const i8, keys: *const i8) -> float32x4_t {
            let mut greatest = vdupq_n_f32(f32::NEG_INFINITY);
            // SAFETY: lists and strips have `count` places; a part of a key has the elements that are read.
            unsafe {
                asm!(
                    queries!($n),
                    "2:",
                    "ldp {k0}, {k1}, [{list}], #16",
                    "ldp {k2}, {k3}, [{list}], #16",
                    start!($start),
                    "add {k0}, {k0}, {keys}",
                    "add {k1}, {k1}, {keys}",
                    "add {k2}, {k2}, {keys}",
                    "add {k3}, {k3}, {keys}",
                    keys!($n, 16 17, "{k0}" "{k1}"),
                    keys!($n, 18 19, "{k2}" "{k3}"),
                    end!($end),
                    "stp q16, q17, [{w}], #32",
                    "stp q18, q19, [{w}], #32",
                    "subs {count}, {count}, #4",
                    "b.ne 2b",
                    q = in(reg) bytes,
                    keys = in(reg) keys,
                    list = inout(reg) run.list => _,
                    m = inout(reg) run.multipliers => _,
                    w = inout(reg) run.weights => _,
                    count = inout(reg) run.count => _,
                    k0 = out(reg) _,
                    k1 = out(reg) _,
                    k2 = out(reg) _,
                    k3 = out(reg) _,
                    inout("v31") greatest,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    options(nostack),
                );
            }
            greatest
        }
    };
}

part!(whole_64, 64, zero, scores);
part!(whole_48, 48, zero, scores);
part!(whole_32, 32, zero, scores);
part!(whole_16, 16, zero, scores);
part!(first_64, 64, zero, sums);
part!(next_64, 64, sums, sums);
part!(last_64, 64, sums, scores);
part!(last_48, 48, sums, scores);
part!(last_32, 32, sums, scores);
part!(last_16, 16, sums, scores);
