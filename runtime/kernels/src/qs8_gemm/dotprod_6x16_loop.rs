//! The inner loop of the dot product kernel for six and five rows, as one piece of assembly: every register has a task,
//! rows advance with their loads, and sums start from pairs of loads.
//!
//! v0-v23: sums, four registers of four channels for each row; v24-v29: sixteen bytes of each row; v30, v31: a quad of
//! `k` of eight channels.

use core::arch::{aarch64::int32x4_t, asm};

/// A panel of sixteen channels for rows of `k` elements, at least sixteen.
#[derive(Clone, Copy)]
pub struct Panel {
    /// `[16]`
    pub bias: *const i32,
    /// `[quad][16][4]`, as the kernel packs them.
    pub weights: *const i8,
    pub k: usize,
}

/// One row's products with half a panel.
macro_rules! row {
    ($lane:literal, $a:literal, $s:literal $t:literal) => {
        concat!(
            "sdot v",
            $s,
            ".4s, v30.16b, v",
            $a,
            ".4b[",
            $lane,
            "]\n",
            "sdot v",
            $t,
            ".4s, v31.16b, v",
            $a,
            ".4b[",
            $lane,
            "]\n",
        )
    };
}

/// A quad of `k` of all rows.
macro_rules! quad {
    ($lane:literal, $(($pointer:literal, $a:literal, [$s0:literal $s1:literal $s2:literal $s3:literal])),*) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            $(row!($lane, $a, $s0 $s1),)*
            "ldp q30, q31, [{w}], #32\n",
            $(row!($lane, $a, $s2 $s3),)*
        )
    };
}

/// Everything, for the rows that are listed: pointer, register of values, registers of sums.
macro_rules! tile {
    ($(($pointer:literal, $a:literal, [$s0:literal $s1:literal $s2:literal $s3:literal])),*) => {
        concat!(
            $(
                "ldp q", $s0, ", q", $s1, ", [{bias}]\n",
                "ldp q", $s2, ", q", $s3, ", [{bias}, #32]\n",
            )*
            "2:\n",
            $("ldr q", $a, ", [{", $pointer, "}], #16\n",)*
            quad!(0, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            quad!(1, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "subs {steps}, {steps}, #1\n",
            quad!(2, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            quad!(3, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "b.ne 2b\n",
            "cbz {quads:w}, 9f\n",
            $("ldr q", $a, ", [{", $pointer, "}, {back}]\n",)*
            "cmp {quads:w}, #2\n",
            "b.lt 8f\n",
            "b.eq 7f\n",
            "tbnz {quads:w}, #0, 6f\n",
            quad!(0, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "6:\n",
            quad!(1, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "7:\n",
            quad!(2, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "8:\n",
            quad!(3, $(($pointer, $a, [$s0 $s1 $s2 $s3])),*),
            "9:\n",
        )
    };
}

impl Panel {
    /// The sums, bias included, of six rows.
    ///
    /// # Safety
    ///
    /// The CPU has neon and dotprod; the panel is sound, and each row has `k` bytes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub unsafe fn sums6(&self, rows: [*const i8; 6]) -> [[int32x4_t; 4]; 6] {
        let (steps, back, quads) = self.cut();
        let s0: int32x4_t;
        let s1: int32x4_t;
        let s2: int32x4_t;
        let s3: int32x4_t;
        let s4: int32x4_t;
        let s5: int32x4_t;
        let s6: int32x4_t;
        let s7: int32x4_t;
        let s8: int32x4_t;
        let s9: int32x4_t;
        let s10: int32x4_t;
        let s11: int32x4_t;
        let s12: int32x4_t;
        let s13: int32x4_t;
        let s14: int32x4_t;
        let s15: int32x4_t;
        let s16: int32x4_t;
        let s17: int32x4_t;
        let s18: int32x4_t;
        let s19: int32x4_t;
        let s20: int32x4_t;
        let s21: int32x4_t;
        let s22: int32x4_t;
        let s23: int32x4_t;
        // SAFETY: the caller's: what is read was packed, or belongs to the rows. Nothing is written to memory.
        unsafe {
            asm!(
                tile!(
                    ("r0", 24, [0 1 2 3]),
                    ("r1", 25, [4 5 6 7]),
                    ("r2", 26, [8 9 10 11]),
                    ("r3", 27, [12 13 14 15]),
                    ("r4", 28, [16 17 18 19]),
                    ("r5", 29, [20 21 22 23])
                ),
                bias = in(reg) self.bias,
                w = inout(reg) self.weights => _,
                r0 = inout(reg) rows[0] => _, r1 = inout(reg) rows[1] => _, r2 = inout(reg) rows[2] => _, r3 = inout(reg) rows[3] => _, r4 = inout(reg) rows[4] => _, r5 = inout(reg) rows[5] => _,
                steps = inout(reg) steps => _,
                back = in(reg) back,
                quads = in(reg) quads,
                out("v0") s0, out("v1") s1, out("v2") s2, out("v3") s3, out("v4") s4, out("v5") s5,
                out("v6") s6, out("v7") s7, out("v8") s8, out("v9") s9, out("v10") s10, out("v11") s11,
                out("v12") s12, out("v13") s13, out("v14") s14, out("v15") s15, out("v16") s16, out("v17") s17,
                out("v18") s18, out("v19") s19, out("v20") s20, out("v21") s21, out("v22") s22, out("v23") s23,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
                out("v30") _, out("v31") _,

                options(readonly, nostack),
            );
        }
        [
            [s0, s1, s2, s3],
            [s4, s5, s6, s7],
            [s8, s9, s10, s11],
            [s12, s13, s14, s15],
            [s16, s17, s18, s19],
            [s20, s21, s22, s23],
        ]
    }

    /// The sums, bias included, of five rows.
    ///
    /// # Safety
    ///
    /// The CPU has neon and dotprod; the panel is sound, and each row has `k` bytes.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub unsafe fn sums5(&self, rows: [*const i8; 5]) -> [[int32x4_t; 4]; 5] {
        let (steps, back, quads) = self.cut();
        let s0: int32x4_t;
        let s1: int32x4_t;
        let s2: int32x4_t;
        let s3: int32x4_t;
        let s4: int32x4_t;
        let s5: int32x4_t;
        let s6: int32x4_t;
        let s7: int32x4_t;
        let s8: int32x4_t;
        let s9: int32x4_t;
        let s10: int32x4_t;
        let s11: int32x4_t;
        let s12: int32x4_t;
        let s13: int32x4_t;
        let s14: int32x4_t;
        let s15: int32x4_t;
        let s16: int32x4_t;
        let s17: int32x4_t;
        let s18: int32x4_t;
        let s19: int32x4_t;
        // SAFETY: the caller's: what is read was packed, or belongs to the rows. Nothing is written to memory.
        unsafe {
            asm!(
                tile!(
                    ("r0", 24, [0 1 2 3]),
                    ("r1", 25, [4 5 6 7]),
                    ("r2", 26, [8 9 10 11]),
                    ("r3", 27, [12 13 14 15]),
                    ("r4", 28, [16 17 18 19])
                ),
                bias = in(reg) self.bias,
                w = inout(reg) self.weights => _,
                r0 = inout(reg) rows[0] => _, r1 = inout(reg) rows[1] => _, r2 = inout(reg) rows[2] => _, r3 = inout(reg) rows[3] => _, r4 = inout(reg) rows[4] => _,
                steps = inout(reg) steps => _,
                back = in(reg) back,
                quads = in(reg) quads,
                out("v0") s0, out("v1") s1, out("v2") s2, out("v3") s3, out("v4") s4, out("v5") s5,
                out("v6") s6, out("v7") s7, out("v8") s8, out("v9") s9, out("v10") s10, out("v11") s11,
                out("v12") s12, out("v13") s13, out("v14") s14, out("v15") s15, out("v16") s16, out("v17") s17,
                out("v18") s18, out("v19") s19,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _,
                out("v30") _, out("v31") _,
                options(readonly, nostack),
            );
        }
        [
            [s0, s1, s2, s3],
            [s4, s5, s6, s7],
            [s8, s9, s10, s11],
            [s12, s13, s14, s15],
            [s16, s17, s18, s19],
        ]
    }

    /// Whole steps of sixteen; how far behind the last of them the tail's load starts, which is backwards; its quads.
    #[inline]
    fn cut(&self) -> (usize, isize, usize) {
        let left = self.k % 16;
        (self.k / 16, left as isize - 16, left.div_ceil(4))
    }
}
