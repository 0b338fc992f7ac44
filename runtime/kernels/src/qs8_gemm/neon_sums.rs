//! The armv8.0 loops' epilogue, as assembly text: what becomes of a panel's sums and last products.
//!
//! The registers and pointers are those of [`neon_steps`](super::neon_steps), and `{finish}`, the
//! [`Finish`](crate::requantize_neon::Finish), and `{o0}`, `{o1}`, `{o2}`, the output's rows.

/// Widens the last products, adds up each row's four columns and scales: into v12, v14 and v16, one row each. Sums are
/// converted by `convert`, which may use v30.
macro_rules! scaled_sums {
    (3 rows, $convert:ident) => {
        concat!(
            "ldr q31, [{params}], #16\n",
            widen!([0 3 6 9 1 4], [12 15 18 21 13 16]),
            add_up!(12 0 3), add_up!(13 6 9),
            widen!([7 10 2 5], [19 22 14 17]),
            add_up!(12 12 13), add_up!(14 1 4), add_up!(15 7 10),
            widen!([8 11], [20 23]),
            $convert!(12),
            add_up!(14 14 15), add_up!(16 2 5), add_up!(17 8 11),
            "fmul v12.4s, v12.4s, v31.4s\n",
            $convert!(14),
            add_up!(16 16 17),
            "fmul v14.4s, v14.4s, v31.4s\n",
            $convert!(16),
            "fmul v16.4s, v16.4s, v31.4s\n",
        )
    };
    (1 row, $convert:ident) => {
        concat!(
            "ldr q31, [{params}], #16\n",
            widen!([0 3 6 9], [12 15 18 21]),
            add_up!(12 0 3), add_up!(13 6 9), add_up!(12 12 13),
            $convert!(12),
            "fmul v12.4s, v12.4s, v31.4s\n",
        )
    };
}

/// Converts sums that started from the rounder, which is in v30.
macro_rules! subtract_base {
    ($s:literal) => {
        concat!("fsub v", $s, ".4s, v", $s, ".4s, v30.4s\n")
    };
}

/// Converts sums that started from nothing.
macro_rules! convert {
    ($s:literal) => {
        concat!("scvtf v", $s, ".4s, v", $s, ".4s\n")
    };
}

/// Adds up the pairs of neighbours in two registers.
macro_rules! add_up {
    ($to:literal $a:literal $b:literal) => {
        concat!("addp v", $to, ".4s, v", $a, ".4s, v", $b, ".4s\n")
    };
}

/// Finishes and stores a panel's four bytes of each row, the short way of [`requantize_neon`](crate::requantize_neon).
macro_rules! finish_short {
    (3 rows) => {
        concat!(
            "ldr q30, [{finish}]\n",
            scaled_sums!(3 rows, subtract_base),
            "fadd v12.4s, v12.4s, v30.4s\n",
            "fadd v14.4s, v14.4s, v30.4s\n",
            "fadd v16.4s, v16.4s, v30.4s\n",
            "uzp1 v12.8h, v12.8h, v14.8h\n",
            "xtn v16.4h, v16.4s\n",
            "sqxtn v12.8b, v12.8h\n",
            "sqxtn2 v12.16b, v16.8h\n",
            store!(3 rows),
        )
    };
    (1 row) => {
        concat!(
            "ldr q30, [{finish}]\n",
            scaled_sums!(1 row, subtract_base),
            "fadd v12.4s, v12.4s, v30.4s\n",
            "xtn v12.4h, v12.4s\n",
            "sqxtn v12.8b, v12.8h\n",
            store!(1 row),
        )
    };
}

/// The same the plain way.
macro_rules! finish_plain {
    (3 rows) => {
        concat!(
            scaled_sums!(3 rows, convert),
            "ldp q18, q19, [{finish}, #16]\n",
            "ldr q20, [{finish}, #48]\n",
            "fcvtns v12.4s, v12.4s\n",
            "fcvtns v14.4s, v14.4s\n",
            "fcvtns v16.4s, v16.4s\n",
            "sqxtn v12.4h, v12.4s\n",
            "sqxtn2 v12.8h, v14.4s\n",
            "sqxtn v16.4h, v16.4s\n",
            "sqadd v12.8h, v12.8h, v18.8h\n",
            "sqadd v16.8h, v16.8h, v18.8h\n",
            "sqxtn v12.8b, v12.8h\n",
            "sqxtn2 v12.16b, v16.8h\n",
            "smax v12.16b, v12.16b, v19.16b\n",
            "smin v12.16b, v12.16b, v20.16b\n",
            store!(3 rows),
        )
    };
    (1 row) => {
        concat!(
            scaled_sums!(1 row, convert),
            "ldp q18, q19, [{finish}, #16]\n",
            "ldr q20, [{finish}, #48]\n",
            "fcvtns v12.4s, v12.4s\n",
            "sqxtn v12.4h, v12.4s\n",
            "sqadd v12.8h, v12.8h, v18.8h\n",
            "sqxtn v12.8b, v12.8h\n",
            "smax v12.16b, v12.16b, v19.16b\n",
            "smin v12.16b, v12.16b, v20.16b\n",
            store!(1 row),
        )
    };
}

/// Adds the panel's numbers and stores four reals of each row.
macro_rules! finish_real {
    (3 rows) => {
        concat!(
            "// without {finish}\n",
            scaled_sums!(3 rows, convert),
            "ldr q18, [{params}], #16\n",
            "fadd v12.4s, v12.4s, v18.4s\n",
            "fadd v14.4s, v14.4s, v18.4s\n",
            "fadd v16.4s, v16.4s, v18.4s\n",
            "str q12, [{o0}], #16\n",
            "str q14, [{o1}], #16\n",
            "str q16, [{o2}], #16\n",
        )
    };
    (1 row) => {
        concat!(
            "// without {finish}\n",
            scaled_sums!(1 row, convert),
            "ldr q18, [{params}], #16\n",
            "fadd v12.4s, v12.4s, v18.4s\n",
            "str q12, [{o0}], #16\n",
        )
    };
}

/// Stores four bytes of each row and advances.
macro_rules! store {
    (3 rows) => {
        concat!(
            "str s12, [{o0}], #4\n",
            "st1 {{v12.s}}[1], [{o1}], #4\n",
            "st1 {{v12.s}}[2], [{o2}], #4\n",
        )
    };
    (1 row) => {
        "str s12, [{o0}], #4\n"
    };
}

pub(super) use {
    add_up, convert, finish_plain, finish_real, finish_short, scaled_sums, store, subtract_base,
};
