//! The passes over cells that become bytes, as assembly: every load and store moves its pointer on, which the compiler would
//! count apart.
//!
//! In the first, v0-v3 are sixteen elements of a cell, v16-v19 of the sum, v20-v23 the greatest magnitudes of the cells and
//! v24 that of the sum. In the second, v16-v19 are the numbers that round, v20-v23 bytes.

use core::arch::{aarch64::*, asm};

/// Twice the high halves of sixteen magnitudes: the addition drops the sign.
macro_rules! magnitudes {
    ($top:literal, $x0:literal $x1:literal $x2:literal $x3:literal) => {
        concat!(
            "uzp2 v4.8h, v",
            $x0,
            ".8h, v",
            $x1,
            ".8h\n",
            "uzp2 v5.8h, v",
            $x2,
            ".8h, v",
            $x3,
            ".8h\n",
            "add v4.8h, v4.8h, v4.8h\n",
            "add v5.8h, v5.8h, v5.8h\n",
            "umax v",
            $top,
            ".8h, v",
            $top,
            ".8h, v4.8h\n",
            "umax v",
            $top,
            ".8h, v",
            $top,
            ".8h, v5.8h\n",
        )
    };
}

/// Sixteen elements of a cell in front of the first, where it starts the sum, or one behind it.
macro_rules! cell {
    (none, $at:literal, $top:literal) => {
        concat!(
            "ldp q0, q1, [", $at, "], #32\nldp q2, q3, [", $at, "], #32\n",
            magnitudes!($top, 0 1 2 3),
        )
    };
    (start, "{c0}", $top:literal) => {
        concat!(
            "ldp q16, q17, [{c0}], #32\nldp q18, q19, [{c0}], #32\n",
            magnitudes!($top, 16 17 18 19),
        )
    };
    (start, $at:literal, $top:literal) => {
        cell!(add, $at, $top)
    };
    (add, $at:literal, $top:literal) => {
        concat!(
            "ldp q0, q1, [", $at, "], #32\nldp q2, q3, [", $at, "], #32\n",
            "fadd v16.4s, v16.4s, v0.4s\nfadd v17.4s, v17.4s, v1.4s\n",
            "fadd v18.4s, v18.4s, v2.4s\nfadd v19.4s, v19.4s, v3.4s\n",
            magnitudes!($top, 0 1 2 3),
        )
    };
}

/// Loads the sum in front of the cells.
macro_rules! before {
    (add) => {
        "ldp q16, q17, [{sum}]\nldp q18, q19, [{sum}, #32]\n"
    };
    ($other:tt) => {
        ""
    };
}

/// Stores the sum behind the cells.
macro_rules! after {
    (none) => {
        "/* {sum} */"
    };
    ($other:tt) => {
        concat!(
            magnitudes!(24, 16 17 18 19),
            "stp q16, q17, [{sum}], #32\nstp q18, q19, [{sum}], #32\n",
        )
    };
}

macro_rules! tops {
    ($name:ident, $sum:tt, $($at:tt $top:literal)*) => {
        /// The greatest of each eighth magnitude of each cell, and of their sum where there is one, as twice their high halves.
        ///
        /// # Safety
        ///
        /// Each cell has `row` elements, a multiple of sixteen but not zero, and so has the sum where there is one.
        #[inline]
        #[target_feature(enable = "neon")]
        pub unsafe fn $name(cells: [*const f32; 4], sum: *mut f32, row: usize) -> [uint16x8_t; 5] {
            let mut tops = [vdupq_n_u16(0); 5];
            // SAFETY: the pointers advance by `row` elements.
            unsafe {
                asm!(
                    "2:",
                    before!($sum),
                    $(cell!($sum, $at, $top),)*
                    after!($sum),
                    "subs {row}, {row}, #16",
                    "b.ne 2b",
                    "/* {c0} {c1} {c2} {c3} */",
                    c0 = inout(reg) cells[0] => _,
                    c1 = inout(reg) cells[1] => _,
                    c2 = inout(reg) cells[2] => _,
                    c3 = inout(reg) cells[3] => _,
                    sum = inout(reg) sum => _,
                    row = inout(reg) row => _,
                    inout("v20") tops[0],
                    inout("v21") tops[1],
                    inout("v22") tops[2],
                    inout("v23") tops[3],
                    inout("v24") tops[4],
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    options(nostack),
                );
            }
            tops
        }
    };
}

tops!(tops_1, none, "{c0}" 20);
tops!(tops_2, none, "{c0}" 20 "{c1}" 21);
tops!(tops_3, none, "{c0}" 20 "{c1}" 21 "{c2}" 22);
tops!(tops_4, none, "{c0}" 20 "{c1}" 21 "{c2}" 22 "{c3}" 23);
tops!(tops_start_1, start, "{c0}" 20);
tops!(tops_start_2, start, "{c0}" 20 "{c1}" 21);
tops!(tops_start_3, start, "{c0}" 20 "{c1}" 21 "{c2}" 22);
tops!(tops_start_4, start, "{c0}" 20 "{c1}" 21 "{c2}" 22 "{c3}" 23);
tops!(tops_add_1, add, "{c0}" 20);
tops!(tops_add_2, add, "{c0}" 20 "{c1}" 21);
tops!(tops_add_3, add, "{c0}" 20 "{c1}" 21 "{c2}" 22);
tops!(tops_add_4, add, "{c0}" 20 "{c1}" 21 "{c2}" 22 "{c3}" 23);

/// The bytes of sixteen elements of a cell.
macro_rules! sixteen {
    ($at:literal $rounder:literal $bytes:literal) => {
        concat!(
            "ldp q0, q1, [",
            $at,
            "], #32\nldp q2, q3, [",
            $at,
            "], #32\n",
            "fadd v0.4s, v0.4s, v",
            $rounder,
            ".4s\nfadd v1.4s, v1.4s, v",
            $rounder,
            ".4s\n",
            "fadd v2.4s, v2.4s, v",
            $rounder,
            ".4s\nfadd v3.4s, v3.4s, v",
            $rounder,
            ".4s\n",
            "uzp1 v0.8h, v0.8h, v1.8h\n",
            "uzp1 v2.8h, v2.8h, v3.8h\n",
            "uzp1 v",
            $bytes,
            ".16b, v0.16b, v2.16b\n",
        )
    };
}

/// Bytes of cells as rows.
macro_rules! rows {
    ($(($at:literal $rounder:literal $bytes:literal $to:literal))*) => {
        concat!($(sixteen!($at $rounder $bytes), "str q", $bytes, ", [", $to, "], #16\n",)*)
    };
}

/// Bytes of four cells, four elements of each in turn.
macro_rules! quads {
    (@ ($at:literal $rounder:literal $bytes:literal)) => {
        sixteen!($at $rounder $bytes)
    };
    ($($cell:tt)*) => {
        concat!(
            $(quads!(@ $cell),)*
            "st4 {{v20.4s, v21.4s, v22.4s, v23.4s}}, [{t0}], #64\n",
        )
    };
}

/// A pass that stores bytes; those of cells that are not there stay zeros.
macro_rules! bytes {
    ($name:ident, [$($zero:literal)*], $sixteen:expr) => {
        /// # Safety
        ///
        /// Each cell that the name counts has `row` elements, a multiple of sixteen but not zero, and `to` has `row` places for
        /// each; as quads, for four.
        #[inline]
        #[target_feature(enable = "neon")]
        pub unsafe fn $name(cells: [*const f32; 4], rounders: float32x4_t, to: *mut i8, row: usize) {
            // SAFETY: the pointers advance by `row` elements.
            unsafe {
                asm!(
                    $(concat!("movi v", $zero, ".4s, #0"),)*
                    "2:",
                    $sixteen,
                    "subs {row}, {row}, #16",
                    "b.ne 2b",
                    "/* {c0} {c1} {c2} {c3} {t0} {t1} {t2} {t3} */",
                    c0 = inout(reg) cells[0] => _,
                    c1 = inout(reg) cells[1] => _,
                    c2 = inout(reg) cells[2] => _,
                    c3 = inout(reg) cells[3] => _,
                    t0 = inout(reg) to => _,
                    t1 = inout(reg) to.wrapping_add(row) => _,
                    t2 = inout(reg) to.wrapping_add(2 * row) => _,
                    t3 = inout(reg) to.wrapping_add(3 * row) => _,
                    row = inout(reg) row => _,
                    in("v16") vdupq_laneq_f32::<0>(rounders),
                    in("v17") vdupq_laneq_f32::<1>(rounders),
                    in("v18") vdupq_laneq_f32::<2>(rounders),
                    in("v19") vdupq_laneq_f32::<3>(rounders),
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    options(nostack),
                );
            }
        }
    };
}

bytes!(rows_1, [], rows!(("{c0}" 16 20 "{t0}")));
bytes!(
    rows_2,
    [],
    rows!(("{c0}" 16 20 "{t0}")("{c1}" 17 21 "{t1}"))
);
bytes!(
    rows_3,
    [],
    rows!(("{c0}" 16 20 "{t0}")("{c1}" 17 21 "{t1}")("{c2}" 18 22 "{t2}"))
);
bytes!(
    rows_4,
    [],
    rows!(("{c0}" 16 20 "{t0}")("{c1}" 17 21 "{t1}")("{c2}" 18 22 "{t2}")("{c3}" 19 23 "{t3}"))
);
bytes!(quads_1, [21 22 23], quads!(("{c0}" 16 20)));
bytes!(quads_2, [22 23], quads!(("{c0}" 16 20)("{c1}" 17 21)));
bytes!(
    quads_3,
    [23],
    quads!(("{c0}" 16 20)("{c1}" 17 21)("{c2}" 18 22))
);
bytes!(
    quads_4,
    [],
    quads!(("{c0}" 16 20)("{c1}" 17 21)("{c2}" 18 22)("{c3}" 19 23))
);
