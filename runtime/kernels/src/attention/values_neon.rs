//! Weighted sums of values in f32 for four cells that share their tokens, as assembly: sixteen sums and the weights of up to
//! eight tokens stay in registers while the chosen values pass.
//!
//! v0-v7: weights of eight tokens, cells as lanes; v8-v11 and v12-v15: values of two tokens; v16-v31: sums, four registers
//! of each cell.

use core::arch::asm;

/// Dimensions whose sums are in registers at a time.
pub const STEP: usize = 16;

/// Products of a token's values with its weights.
macro_rules! token {
    ($op:literal, $w:literal, [$v0:literal $v1:literal $v2:literal $v3:literal]) => {
        concat!(
            token!($op, $w, $v0, [16 20 24 28]), token!($op, $w, $v1, [17 21 25 29]),
            token!($op, $w, $v2, [18 22 26 30]), token!($op, $w, $v3, [19 23 27 31]),
        )
    };
    ($op:literal, $w:literal, $v:literal, [$a:literal $b:literal $c:literal $d:literal]) => {
        concat!(
            $op, " v", $a, ".4s, v", $v, ".4s, v", $w, ".s[0]\n",
            $op, " v", $b, ".4s, v", $v, ".4s, v", $w, ".s[1]\n",
            $op, " v", $c, ".4s, v", $v, ".4s, v", $w, ".s[2]\n",
            $op, " v", $d, ".4s, v", $v, ".4s, v", $w, ".s[3]\n",
        )
    };
}

/// Sixteen values of each of four tokens, whose weights begin at `w0`; the first may start the sums.
macro_rules! four {
    ($op:literal, [$w0:literal $w1:literal $w2:literal $w3:literal], $k0:literal $k1:literal $k2:literal $k3:literal) => {
        concat!(
            "ldp q8, q9, [", $k0, "], #32\nldp q10, q11, [", $k0, "], #32\n",
            "ldp q12, q13, [", $k1, "], #32\nldp q14, q15, [", $k1, "], #32\n",
            token!($op, $w0, [8 9 10 11]),
            "ldp q8, q9, [", $k2, "], #32\nldp q10, q11, [", $k2, "], #32\n",
            token!("fmla", $w1, [12 13 14 15]),
            "ldp q12, q13, [", $k3, "], #32\nldp q14, q15, [", $k3, "], #32\n",
            token!("fmla", $w2, [8 9 10 11]),
            token!("fmla", $w3, [12 13 14 15]),
        )
    };
}

/// Sixteen dimensions of all tokens; weights are in registers, but of sixteen tokens.
macro_rules! tokens {
    (4, $op:literal) => {
        four!($op, [0 1 2 3], "{k0}" "{k1}" "{k2}" "{k3}")
    };
    (8, $op:literal) => {
        concat!(tokens!(4, $op), four!("fmla", [4 5 6 7], "{k4}" "{k5}" "{k6}" "{k7}"))
    };
    (16, $op:literal) => {
        concat!(
            weights!(8, "0" "32" "64" "96"),
            tokens!(8, $op),
            weights!(8, "128" "160" "192" "224"),
            four!("fmla", [0 1 2 3], "{k8}" "{k9}" "{k10}" "{k11}"),
            four!("fmla", [4 5 6 7], "{k12}" "{k13}" "{k14}" "{k15}"),
        )
    };
}

/// Loads the weights that stay.
macro_rules! weights {
    (4) => {
        "ldp q0, q1, [{w}]\nldp q2, q3, [{w}, #32]\n"
    };
    (8) => {
        weights!(8, "0" "32" "64" "96")
    };
    (16) => {
        ""
    };
    (8, $a:literal $b:literal $c:literal $d:literal) => {
        concat!(
            "ldp q0, q1, [{w}, #", $a, "]\nldp q2, q3, [{w}, #", $b, "]\n",
            "ldp q4, q5, [{w}, #", $c, "]\nldp q6, q7, [{w}, #", $d, "]\n",
        )
    };
}

/// Sums start from nothing or from what the tokens before left.
macro_rules! begin {
    ("fmul") => {
        ""
    };
    ("fmla") => {
        concat!(
            "ldp q16, q17, [{t0}]\nldp q18, q19, [{t0}, #32]\n",
            "ldp q20, q21, [{t1}]\nldp q22, q23, [{t1}, #32]\n",
            "ldp q24, q25, [{t2}]\nldp q26, q27, [{t2}, #32]\n",
            "ldp q28, q29, [{t3}]\nldp q30, q31, [{t3}, #32]\n",
        )
    };
}

macro_rules! batch {
    ($name:ident, $n:tt, $op:tt, $($k:ident $i:literal)*) => {
        /// # Safety
        ///
        /// See [`sum_shared`], with as many places and weights as the name says.
        #[inline]
        #[target_feature(enable = "neon")]
        unsafe fn $name(
            list: *const usize,
            values: *const f32,
            weights: *const [f32; 4],
            to: [*mut f32; 4],
            d: usize,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    weights!($n),
                    "2:",
                    begin!($op),
                    tokens!($n, $op),
                    "stp q28, q29, [{t3}], #32\nstp q30, q31, [{t3}], #32",
                    "stp q24, q25, [{t2}], #32\nstp q26, q27, [{t2}], #32",
                    "stp q20, q21, [{t1}], #32\nstp q22, q23, [{t1}], #32",
                    "stp q16, q17, [{t0}], #32\nstp q18, q19, [{t0}], #32",
                    "subs {d}, {d}, #16",
                    "b.ne 2b",
                    $($k = inout(reg) values.add(*list.add($i)) => _,)*
                    w = in(reg) weights,
                    d = inout(reg) d => _,
                    t0 = inout(reg) to[0] => _,
                    t1 = inout(reg) to[1] => _,
                    t2 = inout(reg) to[2] => _,
                    t3 = inout(reg) to[3] => _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
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

batch!(start_4, 4, "fmul", k0 0 k1 1 k2 2 k3 3);
batch!(start_8, 8, "fmul", k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7);
batch!(start_16, 16, "fmul", k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7 k8 8 k9 9 k10 10 k11 11 k12 12 k13 13 k14 14 k15 15);
batch!(add_4, 4, "fmla", k0 0 k1 1 k2 2 k3 3);
batch!(add_8, 8, "fmla", k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7);
batch!(add_16, 16, "fmla", k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7 k8 8 k9 9 k10 10 k11 11 k12 12 k13 13 k14 14 k15 15);

/// Writes the weighted sums of the values of one head: `d` dimensions, a multiple of [`STEP`], for each of four cells. A cell
/// may have the place of one before it, which then keeps its own.
///
/// # Safety
///
/// `list` has as many places as there are weights, a multiple of four but not zero, each with `d` values; there are `d` places for
/// each cell.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sum_shared(
    list: *const usize,
    values: *const f32,
    weights: &[[f32; 4]],
    to: [*mut f32; 4],
    d: usize,
) {
    let mut at = 0;
    // SAFETY: the caller's promise; each batch has the tokens that it takes.
    unsafe {
        while at < weights.len() {
            let left = weights.len() - at;
            let (list, weights) = (list.add(at), weights.as_ptr().add(at));
            at += match (left, at) {
                (4, 0) => {
                    start_4(list, values, weights, to, d);
                    4
                }
                (8 | 12, 0) => {
                    start_8(list, values, weights, to, d);
                    8
                }
                (_, 0) => {
                    start_16(list, values, weights, to, d);
                    16
                }
                (4, _) => {
                    add_4(list, values, weights, to, d);
                    4
                }
                (8 | 12, _) => {
                    add_8(list, values, weights, to, d);
                    8
                }
                _ => {
                    add_16(list, values, weights, to, d);
                    16
                }
            };
        }
    }
}
