//! The inner loop of the armv8.0 kernel, as one piece of assembly: all 32 registers have a task, and a compiler that
//! moves one load up spills.
//!
//! v0-v11: sums of four columns by three rows; v12-v23: their products in 16 bits, for a run; v24-v29: up to 32 bytes of
//! each row; v30, v31: weights of two columns.

use core::arch::{aarch64::int32x4_t, asm};

/// Two columns (weights in v30 and v31) times three rows.
macro_rules! columns {
    ($low:literal $high:literal, [$a0:literal $a1:literal $a2:literal], [$p0:literal $p1:literal $p2:literal], [$q0:literal $q1:literal $q2:literal]) => {
        concat!(
            "ldp q30, q31, [{w}], #32\n",
            $low,
            " v",
            $p0,
            ".8h, v",
            $a0,
            ".8b, v30.8b\n",
            $low,
            " v",
            $p1,
            ".8h, v",
            $a1,
            ".8b, v30.8b\n",
            $low,
            " v",
            $p2,
            ".8h, v",
            $a2,
            ".8b, v30.8b\n",
            $low,
            " v",
            $q0,
            ".8h, v",
            $a0,
            ".8b, v31.8b\n",
            $low,
            " v",
            $q1,
            ".8h, v",
            $a1,
            ".8b, v31.8b\n",
            $low,
            " v",
            $q2,
            ".8h, v",
            $a2,
            ".8b, v31.8b\n",
            $high,
            " v",
            $p0,
            ".8h, v",
            $a0,
            ".16b, v30.16b\n",
            $high,
            " v",
            $p1,
            ".8h, v",
            $a1,
            ".16b, v30.16b\n",
            $high,
            " v",
            $p2,
            ".8h, v",
            $a2,
            ".16b, v30.16b\n",
            $high,
            " v",
            $q0,
            ".8h, v",
            $a0,
            ".16b, v31.16b\n",
            $high,
            " v",
            $q1,
            ".8h, v",
            $a1,
            ".16b, v31.16b\n",
            $high,
            " v",
            $q2,
            ".8h, v",
            $a2,
            ".16b, v31.16b\n",
        )
    };
}

/// A step of sixteen `k`: rows in the given registers times four columns.
macro_rules! step {
    ($low:literal $high:literal, $a:tt) => {
        concat!(
            columns!($low $high, $a, [12 13 14], [15 16 17]),
            columns!($low $high, $a, [18 19 20], [21 22 23]),
        )
    };
}

/// Loads 32 bytes of each row.
macro_rules! load_two_steps {
    () => {
        concat!(
            "ldp q24, q25, [{r0}], #32\n",
            "ldp q26, q27, [{r1}], #32\n",
            "ldp q28, q29, [{r2}], #32\n",
        )
    };
}

/// Widens the products of a run into the sums.
macro_rules! widen {
    () => {
        concat!(
            "sadalp v0.4s, v12.8h\n",
            "sadalp v1.4s, v13.8h\n",
            "sadalp v2.4s, v14.8h\n",
            "sadalp v3.4s, v15.8h\n",
            "sadalp v4.4s, v16.8h\n",
            "sadalp v5.4s, v17.8h\n",
            "sadalp v6.4s, v18.8h\n",
            "sadalp v7.4s, v19.8h\n",
            "sadalp v8.4s, v20.8h\n",
            "sadalp v9.4s, v21.8h\n",
            "sadalp v10.4s, v22.8h\n",
            "sadalp v11.4s, v23.8h\n",
        )
    };
}

/// Ends a run, and reads the length of the next.
macro_rules! end_run {
    () => {
        concat!("ldrh {len:w}, [{runs}], #2\n", widen!())
    };
}

/// Widens the products of one row's four columns, half a register each, straight into the sums.
macro_rules! add_half {
    ($a:literal, [$p:literal $q:literal], $w0:literal $w1:literal, [$s:literal $t:literal]) => {
        concat!(
            "smull v", $p, ".8h, v", $a, ".8b, v", $w0, ".8b\n", "smull v", $q, ".8h, v", $a,
            ".8b, v", $w1, ".8b\n", "sadalp v", $s, ".4s, v", $p, ".8h\n", "sadalp v", $t,
            ".4s, v", $q, ".8h\n",
        )
    };
}

/// Adds up the partial sums of a row's four columns.
macro_rules! reduce_row {
    ($to:literal $and:literal, [$a:literal $b:literal $c:literal $d:literal]) => {
        concat!(
            "addp v", $to, ".4s, v", $a, ".4s, v", $b, ".4s\n", "addp v", $and, ".4s, v", $c,
            ".4s, v", $d, ".4s\n", "addp v", $to, ".4s, v", $to, ".4s, v", $and, ".4s\n",
        )
    };
}

/// What is left of `k` behind the whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Tail {
    None = 0,
    /// At most eight elements: a load of eight.
    Half = 1,
    /// More: a load of sixteen.
    Whole = 2,
}

/// A group of panels and what the loop needs to know of it.
#[derive(Clone, Copy)]
pub struct Group {
    /// `[panel][column][4]`
    pub bias: *const [i32; 16],
    /// Packed weights, panel after panel.
    pub weights: *const i8,
    /// The lengths of the runs, panel after panel, a 0 behind each.
    pub runs: *const u16,
    pub panels: usize,
    /// The length of a row, at least sixteen.
    pub k: usize,
    pub tail: Tail,
}

impl Group {
    /// The sums, `[panel][row][column]`, for three rows.
    ///
    /// # Safety
    ///
    /// The CPU has neon. There are one to four panels; `bias`, `weights` and `runs` were packed for them, and no lane
    /// leaves 16 bits within a run. Each row has `k` bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    pub unsafe fn sums(&self, rows: [*const i8; 3], sums: &mut [[int32x4_t; 3]; 4]) {
        let whole = self.k / 16 * 16;
        let tail_len = match self.tail {
            Tail::Half => 8,
            _ => 16,
        };
        // SAFETY: the caller's: what is read was packed, or belongs to the rows; a tail's load ends where its row ends.
        // Three vectors are written for each panel.
        unsafe {
            asm!(
                "1:",
                "ldp q0, q3, [{bias}]",
                "ldp q6, q9, [{bias}, #32]",
                "ldrh {len:w}, [{runs}], #2",
                "ldp q1, q4, [{bias}]",
                "ldp q7, q10, [{bias}, #32]",
                "ldp q2, q5, [{bias}]",
                "ldp q8, q11, [{bias}, #32]",
                "add {bias}, {bias}, #64",
                "2:",
                "tbnz {len:w}, #0, 4f",
                load_two_steps!(),
                step!("smull" "smlal2", [24 26 28]),
                step!("smlal" "smlal2", [25 27 29]),
                "subs {len:w}, {len:w}, #2",
                "b.eq 6f",
                "3:",
                load_two_steps!(),
                step!("smlal" "smlal2", [24 26 28]),
                step!("smlal" "smlal2", [25 27 29]),
                "subs {len:w}, {len:w}, #2",
                "b.ne 3b",
                "6:",
                end_run!(),
                "cbnz {len:w}, 2b",
                "b 7f",
                "4:",
                "ldr q24, [{r0}], #16",
                "ldr q26, [{r1}], #16",
                "ldr q28, [{r2}], #16",
                step!("smull" "smlal2", [24 26 28]),
                "subs {len:w}, {len:w}, #1",
                "b.ne 3b",
                end_run!(),
                "cbnz {len:w}, 2b",
                "7:",
                "cbz {tail:w}, 9f",
                "tbz {tail:w}, #0, 8f",
                "ldr d24, [{r0}, {back}]",
                "ldr d26, [{r1}, {back}]",
                "ldr d28, [{r2}, {back}]",
                "ldp q30, q31, [{w}], #32",
                "ldp q25, q27, [{w}], #32",
                add_half!(24, [12 13], 30 31, [0 3]),
                add_half!(26, [14 15], 30 31, [1 4]),
                add_half!(28, [16 17], 30 31, [2 5]),
                add_half!(24, [18 19], 25 27, [6 9]),
                add_half!(26, [20 21], 25 27, [7 10]),
                add_half!(28, [22 23], 25 27, [8 11]),
                "b 9f",
                "8:",
                "ldr q24, [{r0}, {back}]",
                "ldr q26, [{r1}, {back}]",
                "ldr q28, [{r2}, {back}]",
                step!("smull" "smlal2", [24 26 28]),
                widen!(),
                "9:",
                reduce_row!(12 13, [0 3 6 9]),
                reduce_row!(14 15, [1 4 7 10]),
                reduce_row!(16 17, [2 5 8 11]),
                "sub {r0}, {r0}, {whole}",
                "sub {r1}, {r1}, {whole}",
                "sub {r2}, {r2}, {whole}",
                "subs {panels}, {panels}, #1",
                "stp q12, q14, [{sums}], #32",
                "str q16, [{sums}], #16",
                "b.ne 1b",
                bias = inout(reg) self.bias => _,
                runs = inout(reg) self.runs => _,
                w = inout(reg) self.weights => _,
                sums = inout(reg) sums.as_mut_ptr() => _,
                panels = inout(reg) self.panels => _,
                r0 = inout(reg) rows[0] => _,
                r1 = inout(reg) rows[1] => _,
                r2 = inout(reg) rows[2] => _,
                whole = in(reg) whole,
                back = in(reg) (self.k - whole).wrapping_sub(tail_len),
                tail = in(reg) self.tail as u32,
                len = out(reg) _,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                out("v12") _, out("v13") _, out("v14") _, out("v15") _, out("v16") _, out("v17") _,
                out("v18") _, out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _,
                out("v30") _, out("v31") _,
                options(nostack),
            );
        }
    }
}
