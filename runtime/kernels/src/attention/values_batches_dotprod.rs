//! Weighted sums of up to sixteen values in half precision, as assembly: sums and weights stay in registers while the values pass,
//! 32 dimensions at a time for four cells that share their tokens, 64 for two of them or for one.
//!
//! v0-v7: weights of sixteen tokens, of four cells each; v8-v11 and v12-v15: 32 values; v16-v31: sums. Behind the last token
//! v8-v11 are sums in f32.

use core::arch::asm;

/// Products of 32 values with the weights of the lanes that are named, each with its four sums.
macro_rules! values {
    ($op:literal, $k:literal, $w:literal, [$v0:literal $v1:literal $v2:literal $v3:literal], $(($lane:literal $a:literal $b:literal $c:literal $d:literal))*) => {
        concat!(
            "ldp q", $v0, ", q", $v1, ", [", $k, "], #32\n",
            "ldp q", $v2, ", q", $v3, ", [", $k, "], #32\n",
            $(
                $op, " v", $a, ".8h, v", $v0, ".8h, v", $w, ".h[", $lane, "]\n",
                $op, " v", $b, ".8h, v", $v1, ".8h, v", $w, ".h[", $lane, "]\n",
                $op, " v", $c, ".8h, v", $v2, ".8h, v", $w, ".h[", $lane, "]\n",
                $op, " v", $d, ".8h, v", $v3, ".8h, v", $w, ".h[", $lane, "]\n",
            )*
        )
    };
}

/// Two tokens, whose weights share a register; the first may start the sums.
macro_rules! two {
    ((4, 32), $op:literal, $w:literal, $k:literal $l:literal) => {
        concat!(
            values!($op, $k, $w, [8 9 10 11],
                ("0" 16 17 18 19) ("1" 20 21 22 23) ("2" 24 25 26 27) ("3" 28 29 30 31)),
            values!("fmla", $l, $w, [12 13 14 15],
                ("4" 16 17 18 19) ("5" 20 21 22 23) ("6" 24 25 26 27) ("7" 28 29 30 31)),
        )
    };
    ((2, 64), $op:literal, $w:literal, $k:literal $l:literal) => {
        concat!(
            values!($op, $k, $w, [8 9 10 11], ("0" 16 17 18 19) ("1" 24 25 26 27)),
            values!($op, $k, $w, [12 13 14 15], ("0" 20 21 22 23) ("1" 28 29 30 31)),
            values!("fmla", $l, $w, [8 9 10 11], ("4" 16 17 18 19) ("5" 24 25 26 27)),
            values!("fmla", $l, $w, [12 13 14 15], ("4" 20 21 22 23) ("5" 28 29 30 31)),
        )
    };
    ((1, 64), $op:literal, $w:literal, $k:literal $l:literal) => {
        concat!(
            values!($op, $k, $w, [8 9 10 11], ("{even}" 16 17 18 19)),
            values!($op, $k, $w, [12 13 14 15], ("{even}" 20 21 22 23)),
            values!("fmla", $l, $w, [8 9 10 11], ("{odd}" 16 17 18 19)),
            values!("fmla", $l, $w, [12 13 14 15], ("{odd}" 20 21 22 23)),
        )
    };
}

/// All tokens of a batch.
macro_rules! tokens {
    ($shape:tt, 4, $op:literal) => {
        concat!(
            two!($shape, $op, 0, "{k0}" "{k1}"), two!($shape, "fmla", 1, "{k2}" "{k3}"),
        )
    };
    ($shape:tt, 8, $op:literal) => {
        concat!(
            tokens!($shape, 4, $op),
            two!($shape, "fmla", 2, "{k4}" "{k5}"), two!($shape, "fmla", 3, "{k6}" "{k7}"),
        )
    };
    ($shape:tt, 16, $op:literal) => {
        concat!(
            tokens!($shape, 8, $op),
            two!($shape, "fmla", 4, "{k8}" "{k9}"), two!($shape, "fmla", 5, "{k10}" "{k11}"),
            two!($shape, "fmla", 6, "{k12}" "{k13}"), two!($shape, "fmla", 7, "{k14}" "{k15}"),
        )
    };
}

/// Loads their weights.
macro_rules! weights {
    (4) => {
        "ldp q0, q1, [{w}]\n"
    };
    (8) => {
        "ldp q0, q1, [{w}]\nldp q2, q3, [{w}, #32]\n"
    };
    (16) => {
        concat!(
            weights!(8),
            "ldp q4, q5, [{w}, #64]\nldp q6, q7, [{w}, #96]\n"
        )
    };
}

/// Sums in f32 are stored, or added to what is there.
macro_rules! finish {
    ((4, 32), $how:tt) => {
        concat!(
            finish!($how, "{t3}", 28 29 30 31), finish!($how, "{t2}", 24 25 26 27),
            finish!($how, "{t1}", 20 21 22 23), finish!($how, "{t0}", 16 17 18 19),
        )
    };
    ((2, 64), $how:tt) => {
        concat!(
            finish!($how, "{t1}", 24 25 26 27 28 29 30 31),
            finish!($how, "{t0}", 16 17 18 19 20 21 22 23),
        )
    };
    ((1, 64), $how:tt) => {
        finish!($how, "{t0}", 16 17 18 19 20 21 22 23)
    };
    ($how:tt, $to:literal, $($sum:literal)*) => {
        concat!($(finish!($how $sum $to),)*)
    };
    (store $sum:literal $to:literal) => {
        concat!(
            "fcvtl v8.4s, v", $sum, ".4h\n",
            "fcvtl2 v9.4s, v", $sum, ".8h\n",
            "stp q8, q9, [", $to, "], #32\n",
        )
    };
    (add $sum:literal $to:literal) => {
        concat!(
            "ldp q10, q11, [", $to, "]\n",
            "fcvtl v8.4s, v", $sum, ".4h\n",
            "fcvtl2 v9.4s, v", $sum, ".8h\n",
            "fadd v8.4s, v8.4s, v10.4s\n",
            "fadd v9.4s, v9.4s, v11.4s\n",
            "stp q8, q9, [", $to, "], #32\n",
        )
    };
}

macro_rules! batch {
    ($run:ident, $shape:tt, $dims:literal, $n:tt, $how:tt, [$($lane:tt)*], $($k:ident $i:literal)*) => {
        // SAFETY: the caller's promise, see `Run`.
        unsafe {
            asm!(
                weights!($n),
                "2:",
                tokens!($shape, $n, "fmul"),
                finish!($shape, $how),
                concat!("subs {d}, {d}, #", $dims),
                "b.ne 2b",
                "/* {t1} {t2} {t3} */",
                $($k = inout(reg) $run.values.add(*$run.list.add($i)) => _,)*
                w = in(reg) $run.weights,
                d = inout(reg) $run.d => _,
                t0 = inout(reg) $run.to[0] => _,
                t1 = inout(reg) $run.to[1] => _,
                t2 = inout(reg) $run.to[2] => _,
                t3 = inout(reg) $run.to[3] => _,
                $($lane)*
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                options(nostack),
            )
        }
    };
}

/// A batch of as many tokens as there are.
macro_rules! batch_of {
    ($run:ident, $shape:tt, $dims:literal, $how:tt, $lane:tt) => {
        match $run.count {
            4 => batch!($run, $shape, $dims, 4, $how, $lane, k0 0 k1 1 k2 2 k3 3),
            8 => batch!($run, $shape, $dims, 8, $how, $lane,
                k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7),
            _ => batch!($run, $shape, $dims, 16, $how, $lane,
                k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7
                k8 8 k9 9 k10 10 k11 11 k12 12 k13 13 k14 14 k15 15),
        }
    };
}

/// Values of one head, and where their weighted sums go.
#[derive(Clone, Copy)]
pub struct Run {
    /// `[count]`: where tokens begin among the values.
    pub list: *const usize,
    pub values: *const u16,
    /// `[count]`: cells as lanes.
    pub weights: *const [u16; 4],
    /// Tokens: 4, 8 or 16.
    pub count: usize,
    /// `[d]` each; places of cells that a function does not have are not written.
    pub to: [*mut f32; 4],
    /// Dimensions, not zero.
    pub d: usize,
}

/// Writes, or with `ADD` adds, the weighted sums of four cells. Where they are written, a cell may have the place of one before
/// it, which then keeps its own.
///
/// # Safety
///
/// The pointers of `run` have what they say, and `d` is a multiple of 32.
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_four<const ADD: bool>(run: Run) {
    if ADD {
        batch_of!(run, (4, 32), 32, add, [])
    } else {
        batch_of!(run, (4, 32), 32, store, [])
    }
}

/// The same of the two cells that are the first lanes; `d` is a multiple of 64.
///
/// # Safety
///
/// As [`sum_four`].
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_two<const ADD: bool>(run: Run) {
    if ADD {
        batch_of!(run, (2, 64), 64, add, [])
    } else {
        batch_of!(run, (2, 64), 64, store, [])
    }
}

/// The same of the cell that is lane `LANE`, at the first place; `d` is a multiple of 64.
///
/// # Safety
///
/// As [`sum_four`].
#[inline]
#[target_feature(enable = "neon,fp16")]
pub unsafe fn sum_one<const LANE: usize, const ADD: bool>(run: Run) {
    if ADD {
        batch_of!(run, (1, 64), 64, add, [even = const LANE, odd = const LANE + 4,])
    } else {
        batch_of!(run, (1, 64), 64, store, [even = const LANE, odd = const LANE + 4,])
    }
}
