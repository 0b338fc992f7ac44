//! The inner loop of the armv8.0 kernel for rows of 16 to 32 elements, as one piece of assembly: the rows stay in
//! registers for all panels of a group, and sums start from products.

use super::neon_3x4_steps::{Tail, columns, half_columns, half_step, product, reduce, step, widen};
use core::arch::{aarch64::int32x4_t, asm};

/// A group of panels for short rows.
#[derive(Clone, Copy)]
pub struct ShortGroup {
    /// `[panel][column]`
    pub bias: *const i32,
    /// Packed weights, panel after panel.
    pub weights: *const i8,
    /// For each panel, whether the second step's products may be added to the first's in 16 bits: 1, else 0.
    pub together: *const u8,
    pub panels: usize,
    /// The length of a row, 16 to 32.
    pub k: usize,
}

impl ShortGroup {
    /// The sums, `[panel][row][column]`, for three rows.
    ///
    /// # Safety
    ///
    /// The CPU has neon. There are one to four panels; `bias`, `weights` and `together` were packed for them. Each row
    /// has `k` bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    pub unsafe fn sums(&self, rows: [*const i8; 3], sums: &mut [[int32x4_t; 3]; 4]) {
        // A second whole step is a tail that looks back by nothing.
        let (second, offset) = match Tail::of(self.k) {
            Tail::None if self.k == 32 => (Tail::Whole, 16),
            tail => (tail, 16 + tail.offset(self.k)),
        };
        // SAFETY: the caller's: what is read was packed, or belongs to the rows; a second load ends where its row ends.
        // Three vectors are written for each panel.
        unsafe {
            asm!(
                "ldr q24, [{r0}]",
                "ldr q26, [{r1}]",
                "ldr q28, [{r2}]",
                "cbz {second:w}, 2f",
                "ldr d25, [{r0}, {offset}]",
                "ldr d27, [{r1}, {offset}]",
                "ldr d29, [{r2}, {offset}]",
                "tbnz {second:w}, #0, 2f",
                "ldr q25, [{r0}, {offset}]",
                "ldr q27, [{r1}, {offset}]",
                "ldr q29, [{r2}, {offset}]",
                "2:",
                step!("smull" "smlal2", [24 26 28]),
                "cbz {second:w}, 6f",
                "ldrb {now:w}, [{together}], #1",
                "cbz {now:w}, 4f",
                "tbnz {second:w}, #0, 3f",
                step!("smlal" "smlal2", [25 27 29]),
                "b 6f",
                "3:",
                half_step!("smlal", [25 27 29]),
                "6:",
                widen!("saddlp"),
                "b 8f",
                "4:",
                widen!("saddlp"),
                "tbnz {second:w}, #0, 5f",
                step!("smull" "smlal2", [25 27 29]),
                widen!("sadalp"),
                "b 8f",
                "5:",
                half_step!("smull", [25 27 29]),
                widen!("sadalp"),
                "8:",
                "ldr q30, [{bias}], #16",
                reduce!(),
                "add v12.4s, v12.4s, v30.4s",
                "add v14.4s, v14.4s, v30.4s",
                "add v16.4s, v16.4s, v30.4s",
                "subs {panels}, {panels}, #1",
                "stp q12, q14, [{sums}], #32",
                "str q16, [{sums}], #16",
                "b.ne 2b",
                bias = inout(reg) self.bias => _,
                together = inout(reg) self.together => _,
                w = inout(reg) self.weights => _,
                sums = inout(reg) sums.as_mut_ptr() => _,
                panels = inout(reg) self.panels => _,
                r0 = in(reg) rows[0],
                r1 = in(reg) rows[1],
                r2 = in(reg) rows[2],
                offset = in(reg) offset,
                second = in(reg) second as u32,
                now = out(reg) _,
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
