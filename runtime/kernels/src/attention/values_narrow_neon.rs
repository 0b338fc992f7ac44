//! Weighted sums of values in f32 for fewer cells than four, as assembly: two that share their tokens, 32 dimensions at a time,
//! or one, 64 at a time, so that sixteen sums are in registers here too.
//!
//! v0-v7: weights of eight tokens, cells as lanes; v8-v11 and v12-v15: sixteen values; v16-v31: sums.

use core::arch::asm;

/// Products of sixteen values with the weights of the lanes that are named, each with its four sums.
macro_rules! sixteen {
    ($op:literal, $k:literal, $w:literal, [$v0:literal $v1:literal $v2:literal $v3:literal], $(($lane:literal $a:literal $b:literal $c:literal $d:literal))*) => {
        concat!(
            "ldp q", $v0, ", q", $v1, ", [", $k, "], #32\n",
            "ldp q", $v2, ", q", $v3, ", [", $k, "], #32\n",
            $(
                $op, " v", $a, ".4s, v", $v0, ".4s, v", $w, ".s[", $lane, "]\n",
                $op, " v", $b, ".4s, v", $v1, ".4s, v", $w, ".s[", $lane, "]\n",
                $op, " v", $c, ".4s, v", $v2, ".4s, v", $w, ".s[", $lane, "]\n",
                $op, " v", $d, ".4s, v", $v3, ".4s, v", $w, ".s[", $lane, "]\n",
            )*
        )
    };
}

/// The values of a token, by cells and dimensions.
macro_rules! token {
    ((2, 32), $op:literal, $k:literal, $w:literal) => {
        concat!(
            sixteen!($op, $k, $w, [8 9 10 11], ("0" 16 17 18 19) ("1" 24 25 26 27)),
            sixteen!($op, $k, $w, [12 13 14 15], ("0" 20 21 22 23) ("1" 28 29 30 31)),
        )
    };
    ((1, 64), $op:literal, $k:literal, $w:literal) => {
        concat!(
            sixteen!($op, $k, $w, [8 9 10 11], ("{lane}" 16 17 18 19)),
            sixteen!($op, $k, $w, [12 13 14 15], ("{lane}" 20 21 22 23)),
            sixteen!($op, $k, $w, [8 9 10 11], ("{lane}" 24 25 26 27)),
            sixteen!($op, $k, $w, [12 13 14 15], ("{lane}" 28 29 30 31)),
        )
    };
    ((1, 16), $op:literal, $k:literal, $w:literal) => {
        sixteen!($op, $k, $w, [8 9 10 11], ("{lane}" 16 17 18 19))
    };
}

/// Loads or stores sums, and moves the place on where they are stored.
macro_rules! sums {
    ((2, 32), load) => {
        concat!(
            sums!(load, "{t0}", [16 17 18 19 20 21 22 23]),
            sums!(load, "{t1}", [24 25 26 27 28 29 30 31]),
        )
    };
    ((1, 64), load) => {
        concat!(
            sums!(load, "{t0}", [16 17 18 19 20 21 22 23]),
            "ldp q24, q25, [{t0}, #128]\nldp q26, q27, [{t0}, #160]\n",
            "ldp q28, q29, [{t0}, #192]\nldp q30, q31, [{t0}, #224]\n",
        )
    };
    ((1, 16), load) => {
        "ldp q16, q17, [{t0}]\nldp q18, q19, [{t0}, #32]\n"
    };
    ((2, 32), store) => {
        concat!(
            sums!(store, "{t1}", [24 25 26 27 28 29 30 31]),
            sums!(store, "{t0}", [16 17 18 19 20 21 22 23]),
        )
    };
    ((1, 64), store) => {
        concat!(
            sums!(store, "{t0}", [16 17 18 19 20 21 22 23]),
            sums!(store, "{t0}", [24 25 26 27 28 29 30 31]),
        )
    };
    ((1, 16), store) => {
        "stp q16, q17, [{t0}], #32\nstp q18, q19, [{t0}], #32\n"
    };
    (load, $t:literal, [$a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal]) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [", $t, "]\nldp q", $c, ", q", $d, ", [", $t, ", #32]\n",
            "ldp q", $e, ", q", $f, ", [", $t, ", #64]\nldp q", $g, ", q", $h, ", [", $t, ", #96]\n",
        )
    };
    (store, $t:literal, [$a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal]) => {
        concat!(
            "stp q", $a, ", q", $b, ", [", $t, "], #32\nstp q", $c, ", q", $d, ", [", $t, "], #32\n",
            "stp q", $e, ", q", $f, ", [", $t, "], #32\nstp q", $g, ", q", $h, ", [", $t, "], #32\n",
        )
    };
}

/// Four or eight tokens.
macro_rules! tokens {
    ($shape:tt, 4, $op:literal) => {
        concat!(
            token!($shape, $op, "{k0}", 0),
            token!($shape, "fmla", "{k1}", 1),
            token!($shape, "fmla", "{k2}", 2),
            token!($shape, "fmla", "{k3}", 3),
        )
    };
    ($shape:tt, 8, $op:literal) => {
        concat!(
            tokens!($shape, 4, $op),
            token!($shape, "fmla", "{k4}", 4),
            token!($shape, "fmla", "{k5}", 5),
            token!($shape, "fmla", "{k6}", 6),
            token!($shape, "fmla", "{k7}", 7),
        )
    };
}

/// Loads their weights.
macro_rules! weights {
    (4) => {
        "ldp q0, q1, [{w}]\nldp q2, q3, [{w}, #32]\n"
    };
    (8) => {
        concat!(
            weights!(4),
            "ldp q4, q5, [{w}, #64]\nldp q6, q7, [{w}, #96]\n"
        )
    };
}

/// Sums start from nothing or from what the tokens before left.
macro_rules! begin {
    ($shape:tt, "fmul") => {
        ""
    };
    ($shape:tt, "fmla") => {
        sums!($shape, load)
    };
}

macro_rules! batch {
    ($run:ident, $shape:tt, $dims:literal, $n:tt, $op:tt, [$($lane:tt)*], $($k:ident $i:literal)*) => {
        // SAFETY: the caller's promise, see `Run`.
        unsafe {
            asm!(
                weights!($n),
                "2:",
                begin!($shape, $op),
                tokens!($shape, $n, $op),
                sums!($shape, store),
                concat!("subs {d}, {d}, #", $dims),
                "b.ne 2b",
                "/* {t1} */",
                $($k = inout(reg) $run.values.add(*$run.list.add($i)) => _,)*
                w = in(reg) $run.weights,
                d = inout(reg) $run.d => _,
                t0 = inout(reg) $run.to[0] => _,
                t1 = inout(reg) $run.to[1] => _,
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

/// All tokens of a list, eight or four at a time.
macro_rules! batches {
    ($run:ident, $shape:tt, $dims:literal, $lane:tt) => {{
        let Run { mut list, mut weights, mut count, .. } = $run;
        let mut is_first = true;
        while count > 0 {
            let run = Run { list, weights, count, ..$run };
            let taken = match (count >= 8, is_first) {
                (true, true) => {
                    batch!(run, $shape, $dims, 8, "fmul", $lane, k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7);
                    8
                }
                (true, false) => {
                    batch!(run, $shape, $dims, 8, "fmla", $lane, k0 0 k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7);
                    8
                }
                (false, true) => {
                    batch!(run, $shape, $dims, 4, "fmul", $lane, k0 0 k1 1 k2 2 k3 3);
                    4
                }
                (false, false) => {
                    batch!(run, $shape, $dims, 4, "fmla", $lane, k0 0 k1 1 k2 2 k3 3);
                    4
                }
            };
            list = list.wrapping_add(taken);
            weights = weights.wrapping_add(taken);
            count -= taken;
            is_first = false;
        }
    }};
}

/// Values of one head, and where their weighted sums go.
#[derive(Clone, Copy)]
pub struct Run {
    /// `[count]`: where tokens begin among the values.
    pub list: *const usize,
    pub values: *const f32,
    /// `[count]`: cells as lanes.
    pub weights: *const [f32; 4],
    /// Tokens, a multiple of four but not zero.
    pub count: usize,
    /// `[d]` each; the second is not written for one cell.
    pub to: [*mut f32; 2],
    /// Dimensions, not zero.
    pub d: usize,
}

/// Writes the weighted sums of the cells that are the first two lanes.
///
/// # Safety
///
/// The pointers of `run` have what they say, and `d` is a multiple of 32.
#[inline(never)]
#[target_feature(enable = "neon")]
pub unsafe fn sum_two(run: Run) {
    batches!(run, (2, 32), 32, [])
}

/// Writes the weighted sums of the cell that is lane `LANE`.
///
/// # Safety
///
/// The pointers of `run` have what they say, and `d` is a multiple of sixteen.
#[inline(never)]
#[target_feature(enable = "neon")]
pub unsafe fn sum_one<const LANE: usize>(run: Run) {
    let whole = run.d / 64 * 64;
    if whole > 0 {
        let run = Run { d: whole, ..run };
        batches!(run, (1, 64), 64, [lane = const LANE,])
    }
    if whole < run.d {
        let run = Run {
            d: run.d - whole,
            values: run.values.wrapping_add(whole),
            to: run.to.map(|to| to.wrapping_add(whole)),
            ..run
        };
        batches!(run, (1, 16), 16, [lane = const LANE,])
    }
}
