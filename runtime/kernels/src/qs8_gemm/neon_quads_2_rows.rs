//! The pieces of [`neon_quads`](super::neon_quads) for tiles of two rows, whose eight to ten quads three rows have no
//! registers for.
//!
//! v0, v1 and v2, v3: sums of two rows by four columns, of two neighbouring panels; v4, v5 and v28, v29: products of two
//! quads at a time; v6, v7: weights, loaded before the products of the last ones are widened; v8-v27: the rows' quads; v30
//! and v31: a multiplier and the rounder. Pointers have the same names.

/// One instruction on each row's products of one quad.
macro_rules! products {
    ($op:literal, [$p:literal $q:literal], [$a:literal $b:literal], $w:literal, $bytes:literal) => {
        concat!(
            $op, " v", $p, ".8h, v", $a, $bytes, ", v", $w, $bytes, "\n", $op, " v", $q, ".8h, v",
            $b, $bytes, ", v", $w, $bytes, "\n",
        )
    };
}

/// Adds the products of one quad to the sums.
macro_rules! widen_two {
    ([$s:literal $t:literal], $p:literal, $q:literal) => {
        concat!(
            "sadalp v", $s, ".4s, v", $p, ".8h\n", "sadalp v", $t, ".4s, v", $q, ".8h\n",
        )
    };
}

/// A panel's sums over all quads of the rows, where the first row's have the biases. The weights of the first two are
/// loaded, and at the end those that follow; `{..}` is what else is done before the first two pairs are widened.
macro_rules! sums_two {
    (8 quads, $($how:tt)*) => {
        sums_two!(
            [$($how)*],
            [8 9] [10 11] [12 13] [14 15] [16 17] [18 19] [20 21] [22 23]
        )
    };
    (9 quads, $($how:tt)*) => {
        sums_two!(
            [$($how)*],
            [8 9] [10 11] [12 13] [14 15] [16 17] [18 19] [20 21] [22 23] [24 25]
        )
    };
    (10 quads, $($how:tt)*) => {
        sums_two!(
            [$($how)*],
            [8 9] [10 11] [12 13] [14 15] [16 17] [18 19] [20 21] [22 23] [24 25] [26 27]
        )
    };
    ([$sums:tt, $first:tt, $second:tt], $a:tt $b:tt $c:tt $d:tt $($rest:tt)*) => {
        concat!(
            pair_two!($sums, "ldp q6, q7, [{w}], #32\n", $a, $b, $first),
            pair_two!($sums, "ldp q6, q7, [{w}], #32\n", $c, $d, $second),
            quads_two!($sums, $($rest)*),
        )
    };
}

/// Quads two by two, and one that is left.
macro_rules! quads_two {
    ($sums:tt, $a:tt $b:tt $c:tt) => {
        concat!(
            pair_two!($sums, "ldr q6, [{w}], #16\n", $a, $b, {}),
            products!("smull", [4 5], $c, 6, ".8b"),
            products!("smlal2", [4 5], $c, 6, ".16b"),
            "ldp q6, q7, [{w}], #32\n",
            widen_two!($sums, 4, 5),
        )
    };
    ($sums:tt, $a:tt $b:tt $($rest:tt)*) => {
        concat!(
            pair_two!($sums, "ldp q6, q7, [{w}], #32\n", $a, $b, {}),
            quads_two!($sums, $($rest)*),
        )
    };
    ($sums:tt,) => {
        ""
    };
}

/// Two quads of each row.
macro_rules! pair_two {
    ($sums:tt, $load:literal, $a:tt, $b:tt, {$($meanwhile:tt)*}) => {
        concat!(
            products!("smull", [4 5], $a, 6, ".8b"),
            products!("smull", [28 29], $b, 7, ".8b"),
            products!("smlal2", [4 5], $a, 6, ".16b"),
            products!("smlal2", [28 29], $b, 7, ".16b"),
            $load,
            $($meanwhile)*
            widen_two!($sums, 4, 5),
            widen_two!($sums, 28, 29),
        )
    };
}

/// Spreads bytes that are loaded into v0 and v1, one row each, over quads.
macro_rules! spread_two {
    (4 quads, $at:literal, $first:tt, $second:tt, $third:tt, $fourth:tt) => {
        concat!(
            spread_two!(2 quads, "q", $at, $first, $second),
            spread_two!("zip2"),
            spread_two!("zip1", $third),
            spread_two!("zip2", $fourth),
        )
    };
    (2 quads, $size:literal, $at:literal, $first:tt, $second:tt) => {
        concat!(spread_two!(1 quad, $size, $at, $first), spread_two!("zip2", $second))
    };
    (1 quad, $size:literal, $at:literal, $first:tt) => {
        concat!(
            "ldr ", $size, "0, [{r0}, ", $at, "]\n",
            "ldr ", $size, "1, [{r1}, ", $at, "]\n",
            spread_two!("zip1"),
            spread_two!("zip1", $first),
        )
    };
    ($zip:literal) => {
        concat!(
            $zip, " v2.8h, v0.8h, v0.8h\n",
            $zip, " v3.8h, v1.8h, v1.8h\n",
        )
    };
    ($zip:literal, [$a:literal $b:literal]) => {
        concat!(
            $zip, " v", $a, ".4s, v2.4s, v2.4s\n",
            $zip, " v", $b, ".4s, v3.4s, v3.4s\n",
        )
    };
}

/// Loads all quads of the rows, the last by a load that ends where the row ends.
macro_rules! rows_two {
    (8 quads) => {
        concat!(
            spread_two!(4 quads, "#0", [8 9], [10 11], [12 13], [14 15]),
            spread_two!(4 quads, "{tail}", [16 17], [18 19], [20 21], [22 23]),
        )
    };
    (9 quads) => {
        concat!(rows_two!(32 bytes), spread_two!(1 quad, "s", "{tail}", [24 25]))
    };
    (10 quads) => {
        concat!(rows_two!(32 bytes), spread_two!(2 quads, "d", "{tail}", [24 25], [26 27]))
    };
    (32 bytes) => {
        concat!(
            spread_two!(4 quads, "#0", [8 9], [10 11], [12 13], [14 15]),
            spread_two!(4 quads, "#16", [16 17], [18 19], [20 21], [22 23]),
        )
    };
}

/// Two neighbouring panels, eight bytes of each row.
macro_rules! twins_two {
    ($n:tt quads, $narrow:ident) => {
        concat!(
            "ldp q0, q30, [{params}], #32\n",
            sums_two!(
                $n quads, [0 1],
                {"mov v1.16b, v0.16b\n",},
                {"ldr q2, [{params}], #16\n",}
            ),
            sums_two!(
                $n quads, [2 3],
                {"mov v3.16b, v2.16b\n", $narrow!(convert, [0 1]),},
                {scale_rows!([0 1], 30), "ldr q30, [{params}], #16\n",}
            ),
            $narrow!(convert, [2 3]),
            scale_rows!([2 3], 30),
            $narrow!(twins),
        )
    };
}

/// One panel, four bytes of each row.
macro_rules! single_two {
    ($n:tt quads, $narrow:ident) => {
        concat!(
            "ldp q0, q30, [{params}], #32\n",
            sums_two!($n quads, [0 1], {"mov v1.16b, v0.16b\n",}, {}),
            $narrow!(convert, [0 1]),
            scale_rows!([0 1], 30),
            $narrow!(single),
        )
    };
}

/// Converts sums, and later rounds, narrows and stores what was scaled, the short way of
/// [`requantize_neon`](crate::requantize_neon).
macro_rules! narrow_short_two {
    (convert, $sums:tt) => {
        convert_rows!(31, $sums)
    };
    (twins) => {
        concat!(
            round_rows!([0 1 2 3], 31),
            "uzp1 v0.8h, v0.8h, v2.8h\n",
            "uzp1 v1.8h, v1.8h, v3.8h\n",
            "sqxtn v0.8b, v0.8h\n",
            "sqxtn v1.8b, v1.8h\n",
            "str d0, [{o0}], #8\n",
            "str d1, [{o1}], #8\n",
        )
    };
    (single) => {
        concat!(
            round_rows!([0 1], 31),
            "uzp1 v0.8h, v0.8h, v1.8h\n",
            "sqxtn v0.8b, v0.8h\n",
            "str s0, [{o0}], #4\n",
            "st1 {{v0.s}}[1], [{o1}], #4\n",
        )
    };
}

/// The same the plain way.
macro_rules! narrow_plain_two {
    (convert, $sums:tt) => {
        convert_rows!(plain, $sums)
    };
    (twins) => {
        concat!(
            "fcvtns v0.4s, v0.4s\n",
            "fcvtns v1.4s, v1.4s\n",
            "fcvtns v2.4s, v2.4s\n",
            "fcvtns v3.4s, v3.4s\n",
            "sqxtn v0.4h, v0.4s\n",
            "sqxtn v1.4h, v1.4s\n",
            "sqxtn2 v0.8h, v2.4s\n",
            "sqxtn2 v1.8h, v3.4s\n",
            "ldp q4, q5, [{finish}, #16]\n",
            "ldr q28, [{finish}, #48]\n",
            "sqadd v0.8h, v0.8h, v4.8h\n",
            "sqadd v1.8h, v1.8h, v4.8h\n",
            "sqxtn v0.8b, v0.8h\n",
            "sqxtn v1.8b, v1.8h\n",
            "smax v0.8b, v0.8b, v5.8b\n",
            "smax v1.8b, v1.8b, v5.8b\n",
            "smin v0.8b, v0.8b, v28.8b\n",
            "smin v1.8b, v1.8b, v28.8b\n",
            "str d0, [{o0}], #8\n",
            "str d1, [{o1}], #8\n",
        )
    };
    (single) => {
        concat!(
            "fcvtns v0.4s, v0.4s\n",
            "fcvtns v1.4s, v1.4s\n",
            "sqxtn v0.4h, v0.4s\n",
            "sqxtn2 v0.8h, v1.4s\n",
            "ldp q4, q5, [{finish}, #16]\n",
            "ldr q28, [{finish}, #48]\n",
            "sqadd v0.8h, v0.8h, v4.8h\n",
            "sqxtn v0.8b, v0.8h\n",
            "smax v0.8b, v0.8b, v5.8b\n",
            "smin v0.8b, v0.8b, v28.8b\n",
            "str s0, [{o0}], #4\n",
            "st1 {{v0.s}}[1], [{o1}], #4\n",
        )
    };
}

pub(super) use {
    narrow_plain_two, narrow_short_two, pair_two, products, quads_two, rows_two, single_two,
    spread_two, sums_two, twins_two, widen_two,
};
