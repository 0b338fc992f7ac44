//! Weighted sums of values in half precision for four cells that share their tokens, as assembly: sixteen sums stay in
//! registers while the chosen values pass.
//!
//! Up to [`BATCH`] tokens add up in f16, whose sums are then added in f32: a longer run of f16 would lose what later
//! tokens add to a sum.
//!
//! v0, v1: weights of four tokens, of four cells each; v2-v5 and v6-v9: values of two tokens; v16-v31: sums, four registers
//! of each cell, two where half as many dimensions are left.

use super::{
    values_batches_dotprod::{Run as Batch, sum_four, sum_one, sum_two},
    vector::{Cells, Strips},
};
use core::{arch::asm, mem::MaybeUninit};

/// Tokens whose values add up in f16.
pub const BATCH: usize = 16;

/// Dimensions whose sums are in registers at a time.
const PART: usize = 32;

/// Writes the weighted sums of the values of one head.
///
/// # Safety
///
/// As [`attend`](super::attend_dotprod::attend), with pointers at a head; halves are the weights.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_shared(
    cells: &Cells<i8>,
    values: *const u16,
    unscale: f32,
    strips: &Strips,
    to: [*mut f32; 4],
) {
    let is_whole = unscale == 1.0;
    let of = |first: usize, count: usize| Batch {
        list: cells.lists[0].wrapping_add(first),
        values,
        weights: strips.halves.as_ptr().wrapping_add(first),
        count,
        to,
        d: cells.d,
    };
    // SAFETY: the caller's promise; dimensions were looked at. Cells that are not live have the place of the last that is,
    // which is stored behind theirs.
    unsafe {
        match cells.live {
            1 if is_whole && cells.d.is_multiple_of(64) => each_batch(
                cells.padded_count,
                |first, count| sum_one::<0, false>(of(first, count)),
                |first, count| sum_one::<0, true>(of(first, count)),
            ),
            2 if is_whole && cells.d.is_multiple_of(64) => each_batch(
                cells.padded_count,
                |first, count| sum_two::<false>(of(first, count)),
                |first, count| sum_two::<true>(of(first, count)),
            ),
            // What is added to must be each cell's own.
            _ if is_whole
                && cells.d.is_multiple_of(PART)
                && (cells.live == 4 || matches!(cells.padded_count, 4 | 8 | BATCH)) =>
            {
                each_batch(
                    cells.padded_count,
                    |first, count| sum_four::<false>(of(first, count)),
                    |first, count| sum_four::<true>(of(first, count)),
                )
            }
            _ => sum_parts(cells, values, unscale, strips, to),
        }
    }
}

/// Cuts `count` tokens, a multiple of four, into batches of at most [`BATCH`]; all but the last are whole. The first is stored,
/// others are added.
#[inline]
pub fn each_batch(count: usize, store: impl Fn(usize, usize), add: impl Fn(usize, usize)) {
    let mut first = 0;
    while first < count {
        // Twelve are eight and four: their sums meet in f32.
        let taken = match count - first {
            left @ (4 | 8) => left,
            12 => 8,
            _ => BATCH,
        };
        match first {
            0 => store(first, taken),
            _ => add(first, taken),
        }
        first += taken;
    }
}

/// The same where dimensions are left over, or sums must be scaled.
///
/// # Safety
///
/// As [`sum_shared`].
#[inline(never)]
#[target_feature(enable = "neon,fp16")]
unsafe fn sum_parts(
    cells: &Cells<i8>,
    values: *const u16,
    unscale: f32,
    strips: &Strips,
    to: [*mut f32; 4],
) {
    for at in (0..cells.stride).step_by(PART) {
        // Where sums go that are not wanted as they are.
        let mut spare = MaybeUninit::<[[f32; PART]; 4]>::uninit();
        let spare = spare.as_mut_ptr().cast::<f32>();
        let left = cells.d.saturating_sub(at).min(PART);
        let is_whole = left == (cells.stride - at).min(PART);
        let mut places = [0, 1, 2, 3].map(|lane| spare.wrapping_add(lane * PART));
        if is_whole {
            for lane in 0..cells.live {
                places[lane] = to[lane].wrapping_add(at);
            }
        }
        for first in (0..cells.padded_count).step_by(BATCH) {
            // SAFETY: a head of values has `stride` elements, lists and halves have `padded_count` places, and there are
            // places for a part.
            unsafe {
                let run = Run {
                    list: cells.lists[0].add(first),
                    values: values.add(at),
                    halves: strips.halves.as_ptr().add(first),
                    count: BATCH.min(cells.padded_count - first),
                    to: places,
                };
                match (cells.stride - at >= PART, first) {
                    (true, 0) => start_32(run),
                    (true, _) => add_32(run),
                    (false, 0) => start_16(run),
                    (false, _) => add_16(run),
                }
            }
        }
        if unscale == 1.0 && is_whole {
            continue;
        }
        for lane in 0..cells.live {
            for i in 0..left {
                // SAFETY: a live cell has `d` places, and its sums are at its place.
                unsafe { *to[lane].add(at + i) = *places[lane].add(i) * unscale }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Run {
    /// `[count]`
    list: *const usize,
    values: *const u16,
    /// `[count]`
    halves: *const [u16; 4],
    /// Tokens, a multiple of four, not zero.
    count: usize,
    /// A part of dimensions for each cell.
    to: [*mut f32; 4],
}

/// Products of a token's values with its weights: one operation, the lanes of the weights, the values.
macro_rules! token {
    (32, $op:literal, $w:literal, [$($lane:literal)*], $a:literal $b:literal $c:literal $d:literal) => {
        token!(@ $op, $w, [$($lane)*], [16 20 24 28], $a, [17 21 25 29], $b, [18 22 26 30], $c, [19 23 27 31], $d)
    };
    (16, $op:literal, $w:literal, [$($lane:literal)*], $a:literal $b:literal $c:literal $d:literal) => {
        token!(@ $op, $w, [$($lane)*], [16 20 24 28], $a, [17 21 25 29], $b)
    };
    (@ $op:literal, $w:literal, $lanes:tt, $($sums:tt, $v:literal),*) => {
        concat!($(token!(% $op, $w, $lanes, $sums, $v),)*)
    };
    (% $op:literal, $w:literal, [$($lane:literal)*], [$($sum:literal)*], $v:literal) => {
        concat!($($op, " v", $sum, ".8h, v", $v, ".8h, v", $w, ".h[", $lane, "]\n",)*)
    };
}

/// Loads a token's values.
macro_rules! values {
    (32, $k:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [", $k, "]\n", "ldp q", $c, ", q", $d, ", [", $k, ", #32]\n"
        )
    };
    (16, $k:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!("ldp q", $a, ", q", $b, ", [", $k, "]\n")
    };
}

/// Four tokens, the first of which starts the sums or not.
macro_rules! four {
    ($n:tt, $op:literal) => {
        concat!(
            "ldp {k0}, {k1}, [{list}], #16\n",
            "ldp {k2}, {k3}, [{list}], #16\n",
            "ldp q0, q1, [{halves}], #32\n",
            "add {k0}, {values}, {k0}, lsl #1\n",
            "add {k1}, {values}, {k1}, lsl #1\n",
            "add {k2}, {values}, {k2}, lsl #1\n",
            "add {k3}, {values}, {k3}, lsl #1\n",
            values!($n, "{k0}", 2 3 4 5),
            values!($n, "{k1}", 6 7 8 9),
            token!($n, $op, 0, [0 1 2 3], 2 3 4 5),
            values!($n, "{k2}", 2 3 4 5),
            token!($n, "fmla", 0, [4 5 6 7], 6 7 8 9),
            values!($n, "{k3}", 6 7 8 9),
            token!($n, "fmla", 1, [0 1 2 3], 2 3 4 5),
            token!($n, "fmla", 1, [4 5 6 7], 6 7 8 9),
            "subs {count}, {count}, #4\n",
        )
    };
}

/// Sums in f32, stored or added; the first cell last.
macro_rules! finish {
    ($n:tt, $how:tt) => {
        concat!(
            finish!($n, $how, "{t3}", 28 29 30 31),
            finish!($n, $how, "{t2}", 24 25 26 27),
            finish!($n, $how, "{t1}", 20 21 22 23),
            finish!($n, $how, "{t0}", 16 17 18 19),
        )
    };
    (32, $how:tt, $to:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            finish!($how $a $to "0"), finish!($how $b $to "32"),
            finish!($how $c $to "64"), finish!($how $d $to "96"),
        )
    };
    (16, $how:tt, $to:literal, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(finish!($how $a $to "0"), finish!($how $b $to "32"))
    };
    (store $s:literal $to:literal $at:literal) => {
        concat!(
            "fcvtl v0.4s, v", $s, ".4h\n",
            "fcvtl2 v1.4s, v", $s, ".8h\n",
            "stp q0, q1, [", $to, ", #", $at, "]\n",
        )
    };
    (add $s:literal $to:literal $at:literal) => {
        concat!(
            "ldp q2, q3, [", $to, ", #", $at, "]\n",
            "fcvtl v0.4s, v", $s, ".4h\n",
            "fcvtl2 v1.4s, v", $s, ".8h\n",
            "fadd v0.4s, v0.4s, v2.4s\n",
            "fadd v1.4s, v1.4s, v3.4s\n",
            "stp q0, q1, [", $to, ", #", $at, "]\n",
        )
    };
}

macro_rules! batch {
    ($name:ident, $n:tt, $how:tt) => {
        /// # Safety
        ///
        /// See [`sum_shared`].
        #[inline]
        #[target_feature(enable = "neon,fp16")]
        unsafe fn $name(run: Run) {
            // SAFETY: lists and halves have `count` places; values and places have a part's dimensions.
            unsafe {
                asm!(
                    four!($n, "fmul"),
                    "b.eq 3f",
                    "2:",
                    four!($n, "fmla"),
                    "b.ne 2b",
                    "3:",
                    finish!($n, $how),
                    list = inout(reg) run.list => _,
                    halves = inout(reg) run.halves => _,
                    count = inout(reg) run.count => _,
                    values = in(reg) run.values,
                    t0 = in(reg) run.to[0],
                    t1 = in(reg) run.to[1],
                    t2 = in(reg) run.to[2],
                    t3 = in(reg) run.to[3],
                    k0 = out(reg) _,
                    k1 = out(reg) _,
                    k2 = out(reg) _,
                    k3 = out(reg) _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                    options(nostack),
                );
            }
        }
    };
}

batch!(start_32, 32, store);
batch!(add_32, 32, add);
batch!(start_16, 16, store);
batch!(add_16, 16, add);
