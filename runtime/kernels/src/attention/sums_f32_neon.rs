//! Sums of products of f32, four rows by up to four others, as assembly: sixteen sums stay in registers while eight elements of
//! each row pass.
//!
//! A sum's four lanes are added as the specification does, pairs first, so that a sum's four rows end as its lanes.
//!
//! v0-v7: eight elements of each of the four rows; v8, v9: of one of the others; v16-v31: sums, four registers for each of the
//! others.

use core::arch::{aarch64::*, asm};

/// Products of four elements of one of the others with those of the four rows, which start the sums or are added.
macro_rules! four {
    ($op:literal, $b:literal, [$r0:literal $r1:literal $r2:literal $r3:literal], [$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            $op, " v", $s0, ".4s, v", $b, ".4s, v", $r0, ".4s\n", $op, " v", $s1, ".4s, v", $b,
            ".4s, v", $r1, ".4s\n", $op, " v", $s2, ".4s, v", $b, ".4s, v", $r2, ".4s\n", $op,
            " v", $s3, ".4s, v", $b, ".4s, v", $r3, ".4s\n",
        )
    };
}

/// Eight elements of all rows.
macro_rules! step {
    ($first:literal, $($other:literal $sums:tt)*) => {
        concat!(
            "ldp q0, q1, [{r0}], #32\nldp q2, q3, [{r1}], #32\n",
            "ldp q4, q5, [{r2}], #32\nldp q6, q7, [{r3}], #32\n",
            $(
                "ldp q8, q9, [", $other, "], #32\n",
                four!($first, 8, [0 2 4 6], $sums),
                four!("fmla", 9, [1 3 5 7], $sums),
            )*
            "subs {len}, {len}, #8\n",
        )
    };
}

/// The sums of neighbours of four registers.
macro_rules! add_up {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "faddp v", $s0, ".4s, v", $s0, ".4s, v", $s1, ".4s\n", "faddp v", $s2, ".4s, v", $s2,
            ".4s, v", $s3, ".4s\n", "faddp v", $s0, ".4s, v", $s0, ".4s, v", $s2, ".4s\n",
        )
    };
}

macro_rules! sums {
    ($name:ident, $n:literal, $(($i:literal $other:ident $pointer:literal $out:tt $sums:tt))*) => {
        /// The sums of products of each of `others` with the four `rows`, which are the lanes.
        ///
        /// # Safety
        ///
        /// Each pointer has `len` elements, a multiple of eight but not zero.
        #[inline]
        #[target_feature(enable = "neon")]
        pub unsafe fn $name(
            rows: [*const f32; 4],
            others: [*const f32; $n],
            len: usize,
        ) -> [float32x4_t; $n] {
            let mut sums = [vdupq_n_f32(0.0); $n];
            // SAFETY: the pointers advance by `len` elements, which are read.
            unsafe {
                asm!(
                    step!("fmul", $($pointer $sums)*),
                    "b.eq 3f",
                    "2:",
                    step!("fmla", $($pointer $sums)*),
                    "b.ne 2b",
                    "3:",
                    $(add_up!($sums),)*
                    r0 = inout(reg) rows[0] => _,
                    r1 = inout(reg) rows[1] => _,
                    r2 = inout(reg) rows[2] => _,
                    r3 = inout(reg) rows[3] => _,
                    $($other = inout(reg) others[$i] => _,)*
                    len = inout(reg) len => _,
                    $(out($out) sums[$i],)*
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v17") _, out("v18") _,
                    out("v19") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v25") _, out("v26") _, out("v27") _, out("v29") _,
                    out("v30") _, out("v31") _,
                    options(nostack, readonly),
                );
            }
            sums
        }
    };
}

sums!(sums_1, 1, (0 o0 "{o0}" "v16" [16 17 18 19]));
sums!(sums_2, 2, (0 o0 "{o0}" "v16" [16 17 18 19]) (1 o1 "{o1}" "v20" [20 21 22 23]));
sums!(sums_3, 3, (0 o0 "{o0}" "v16" [16 17 18 19]) (1 o1 "{o1}" "v20" [20 21 22 23])
    (2 o2 "{o2}" "v24" [24 25 26 27]));
sums!(sums_4, 4, (0 o0 "{o0}" "v16" [16 17 18 19]) (1 o1 "{o1}" "v20" [20 21 22 23])
    (2 o2 "{o2}" "v24" [24 25 26 27]) (3 o3 "{o3}" "v28" [28 29 30 31]));
