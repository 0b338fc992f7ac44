//! Sums of products of bytes, four rows by up to four others, as assembly: sixteen sums stay in registers while 32 bytes of
//! each row pass.
//!
//! Bytes within -127..=127 let two products share a lane of 16 bits: SMULL, SMLAL2, then SADALP. The first products start the
//! sums. Neighbours are added only behind the last, so that a sum's four rows end as its lanes.
//!
//! v0-v7: 32 bytes of each of the four rows; v8, v9: of one of the others; v12-v15: products; v16-v31: sums, four registers
//! for each of the others.

use core::arch::{aarch64::*, asm};

/// Products of sixteen bytes of one of the others with those of the four rows, which start the sums or are added.
macro_rules! sixteen {
    ($add:literal, $b:literal, [$r0:literal $r1:literal $r2:literal $r3:literal], [$($s:literal)*]) => {
        concat!(
            sixteen!("smull", ".8b", $b, [$r0 $r1 $r2 $r3]),
            sixteen!("smlal2", ".16b", $b, [$r0 $r1 $r2 $r3]),
            sixteen!($add, [$($s)*]),
        )
    };
    ($op:literal, $half:literal, $b:literal, [$r0:literal $r1:literal $r2:literal $r3:literal]) => {
        concat!(
            $op, " v12.8h, v", $b, $half, ", v", $r0, $half, "\n",
            $op, " v13.8h, v", $b, $half, ", v", $r1, $half, "\n",
            $op, " v14.8h, v", $b, $half, ", v", $r2, $half, "\n",
            $op, " v15.8h, v", $b, $half, ", v", $r3, $half, "\n",
        )
    };
    ($add:literal, [$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            $add, " v", $s0, ".4s, v12.8h\n",
            $add, " v", $s1, ".4s, v13.8h\n",
            $add, " v", $s2, ".4s, v14.8h\n",
            $add, " v", $s3, ".4s, v15.8h\n",
        )
    };
}

/// 32 bytes of all rows.
macro_rules! step_32 {
    ($first:literal, $($other:literal $sums:tt)*) => {
        concat!(
            "ldp q0, q1, [{r0}], #32\nldp q2, q3, [{r1}], #32\n",
            "ldp q4, q5, [{r2}], #32\nldp q6, q7, [{r3}], #32\n",
            $(
                "ldp q8, q9, [", $other, "], #32\n",
                sixteen!($first, 8, [0 2 4 6], $sums),
                sixteen!("sadalp", 9, [1 3 5 7], $sums),
            )*
            "subs {len}, {len}, #32\n",
        )
    };
}

/// The first sixteen bytes, where rows have an odd number of those.
macro_rules! step_16 {
    ($($other:literal $sums:tt)*) => {
        concat!(
            "ldr q0, [{r0}], #16\nldr q2, [{r1}], #16\nldr q4, [{r2}], #16\nldr q6, [{r3}], #16\n",
            $(
                "ldr q8, [", $other, "], #16\n",
                sixteen!("saddlp", 8, [0 2 4 6], $sums),
            )*
            "subs {len}, {len}, #16\n",
        )
    };
}

/// The sums of neighbours of four registers.
macro_rules! add_up {
    ([$s0:literal $s1:literal $s2:literal $s3:literal]) => {
        concat!(
            "addp v", $s0, ".4s, v", $s0, ".4s, v", $s1, ".4s\n", "addp v", $s2, ".4s, v", $s2,
            ".4s, v", $s3, ".4s\n", "addp v", $s0, ".4s, v", $s0, ".4s, v", $s2, ".4s\n",
        )
    };
}

macro_rules! sums {
    ($name:ident, $n:literal, $(($i:literal $other:ident $pointer:literal $out:tt $sums:tt))*) => {
        /// The sums of products of each of `others` with the four `rows`, which are the lanes.
        ///
        /// # Safety
        ///
        /// Each pointer has `len` bytes, a multiple of sixteen but not zero, and no byte is -128.
        #[inline]
        #[target_feature(enable = "neon")]
        pub unsafe fn $name(
            rows: [*const i8; 4],
            others: [*const i8; $n],
            len: usize,
        ) -> [int32x4_t; $n] {
            let mut sums = [vdupq_n_s32(0); $n];
            // SAFETY: the pointers advance by `len` bytes, which are read.
            unsafe {
                asm!(
                    "tbnz {len}, #4, 4f",
                    step_32!("saddlp", $($pointer $sums)*),
                    "b.eq 3f",
                    "2:",
                    step_32!("sadalp", $($pointer $sums)*),
                    "b.ne 2b",
                    "b 3f",
                    "4:",
                    step_16!($($pointer $sums)*),
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
                    out("v8") _, out("v9") _, out("v12") _, out("v13") _,
                    out("v14") _, out("v15") _, out("v17") _, out("v18") _,
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
