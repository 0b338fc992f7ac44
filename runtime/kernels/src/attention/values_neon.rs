//! Weighted sums of values in f32 for four cells that share their tokens, as assembly: sixteen sums stay in registers while
//! the chosen values pass.
//!
//! v0-v3: weights of four tokens, cells as lanes; v4-v7 and v8-v11: values of two tokens; v16-v31: sums, four registers of
//! each cell.

use core::arch::asm;

/// Products of a token's values with its weights.
macro_rules! token {
    ($op:literal, $w:literal, $v0:literal $v1:literal $v2:literal $v3:literal) => {
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

/// Four tokens, the first of which starts the sums or not.
macro_rules! four {
    ($op:literal) => {
        concat!(
            "ldp {k0}, {k1}, [{list}], #16\n",
            "ldp {k2}, {k3}, [{list}], #16\n",
            "ldp q0, q1, [{w}], #32\n",
            "ldp q2, q3, [{w}], #32\n",
            "add {k0}, {values}, {k0}, lsl #2\n",
            "add {k1}, {values}, {k1}, lsl #2\n",
            "add {k2}, {values}, {k2}, lsl #2\n",
            "add {k3}, {values}, {k3}, lsl #2\n",
            "ldp q4, q5, [{k0}]\nldp q6, q7, [{k0}, #32]\n",
            "ldp q8, q9, [{k1}]\nldp q10, q11, [{k1}, #32]\n",
            token!($op, 0, 4 5 6 7),
            "ldp q4, q5, [{k2}]\nldp q6, q7, [{k2}, #32]\n",
            token!("fmla", 1, 8 9 10 11),
            "ldp q8, q9, [{k3}]\nldp q10, q11, [{k3}, #32]\n",
            token!("fmla", 2, 4 5 6 7),
            token!("fmla", 3, 8 9 10 11),
            "subs {count}, {count}, #4\n",
        )
    };
}

/// Writes the weighted sums of the values of one head: `d` dimensions, a multiple of sixteen, for each of four cells. A cell
/// may have the place of one before it, which then keeps its own.
///
/// # Safety
///
/// `list` has `count` places, a multiple of four but not zero, each with `d` values; there is a weight for each, and there are
/// `d` places for each cell.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn sum_shared(
    list: *const usize,
    count: usize,
    values: *const f32,
    weights: &[[f32; 4]],
    to: [*mut f32; 4],
    d: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "4:",
            "mov {list}, {lists}",
            "mov {w}, {weights}",
            "mov {count}, {counts}",
            four!("fmul"),
            "b.eq 3f",
            "2:",
            four!("fmla"),
            "b.ne 2b",
            "3:",
            "stp q28, q29, [{t3}]",
            "stp q30, q31, [{t3}, #32]",
            "stp q24, q25, [{t2}]",
            "stp q26, q27, [{t2}, #32]",
            "stp q20, q21, [{t1}]",
            "stp q22, q23, [{t1}, #32]",
            "stp q16, q17, [{t0}]",
            "stp q18, q19, [{t0}, #32]",
            "add {t3}, {t3}, #64",
            "add {t2}, {t2}, #64",
            "add {t1}, {t1}, #64",
            "add {t0}, {t0}, #64",
            "add {values}, {values}, #64",
            "subs {d}, {d}, #16",
            "b.ne 4b",
            lists = in(reg) list,
            weights = in(reg) weights.as_ptr(),
            counts = in(reg) count,
            d = inout(reg) d => _,
            list = out(reg) _,
            w = out(reg) _,
            count = out(reg) _,
            values = inout(reg) values => _,
            t0 = inout(reg) to[0] => _,
            t1 = inout(reg) to[1] => _,
            t2 = inout(reg) to[2] => _,
            t3 = inout(reg) to[3] => _,
            k0 = out(reg) _,
            k1 = out(reg) _,
            k2 = out(reg) _,
            k3 = out(reg) _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(nostack),
        );
    }
}
