//! The inner loop of the armv8.0 kernel, as one piece of assembly: all 32 registers have a task, and a compiler that
//! moves one load up spills.

use super::neon_3x4_steps::{Tail, columns, half_columns, half_step, product, reduce, step, widen};
use core::arch::{aarch64::int32x4_t, asm};

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

/// Ends a run, and reads the length of the next.
macro_rules! end_run {
    () => {
        concat!("ldrh {len:w}, [{runs}], #2\n", widen!("sadalp"))
    };
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
        let (whole, tail) = (self.k / 16 * 16, Tail::of(self.k));
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
                half_step!("smull", [24 26 28]),
                widen!("sadalp"),
                "b 9f",
                "8:",
                "ldr q24, [{r0}, {back}]",
                "ldr q26, [{r1}, {back}]",
                "ldr q28, [{r2}, {back}]",
                step!("smull" "smlal2", [24 26 28]),
                widen!("sadalp"),
                "9:",
                reduce!(),
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
                back = in(reg) tail.offset(self.k),
                tail = in(reg) tail as u32,
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
