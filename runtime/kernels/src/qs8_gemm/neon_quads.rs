//! The pieces of the armv8.0 loop over rows that stay in registers, as assembly text over numbered registers.
//!
//! A register of weights, a [`Quad`](super::runs::Quad), holds four `k` of four columns: `k` 0 and 1 of each column, then `k` 2
//! and 3. Each row's bytes are spread once for all panels: four times the same two, then four times the next two. The
//! products of a row with a quad then share one register, whose neighbouring lanes belong to one column: widening adds
//! them up and leaves the sums of the four columns in order, so nothing is reduced behind the last of them.
//!
//! v0-v2 and v8-v10: sums of three rows by four columns, of two neighbouring panels; v3-v5: products in 16 bits; v6, v7:
//! weights; v11-v31: up to seven quads of each row. Where there are at most six, v29 and v30 hold the panels' multipliers
//! and v31 the rounder.
//!
//! An in-order core waits for a load that is used at once, and for a product that is widened at once. So weights are
//! loaded when the last of theirs before are multiplied and not yet widened, and what else there is to do stands between
//! products and their widening: `{..}` in the macros.
//!
//! Pointers have names: `{w}` weights, `{params}` the panels' [`Params`](super::qs8_gemm_3x4_neon::Params),
//! `{finish}` the [`Finish`](crate::requantize_neon::Finish), `{r0}`, `{r1}`, `{r2}` the rows, `{o0}`, `{o1}`, `{o2}` the
//! output's rows, `{tail}` where a row's last load starts.

/// A quad of one row times one of four columns.
macro_rules! product {
    ($p:literal, $a:literal, $w:literal) => {
        concat!(
            product!("smull", ".8b", $p, $a, $w),
            product!("smlal2", ".16b", $p, $a, $w),
        )
    };
    ($op:literal, $bytes:literal, $p:literal, $a:literal, $w:literal) => {
        concat!($op, " v", $p, ".8h, v", $a, $bytes, ", v", $w, $bytes, "\n")
    };
}

/// Adds products to a row's sums.
macro_rules! widen {
    ($s:literal, $p:literal) => {
        concat!("sadalp v", $s, ".4s, v", $p, ".8h\n")
    };
}

/// Two quads of each row, the second's first product between the first's last two widenings.
macro_rules! pair {
    (
        [$a:literal $b:literal $c:literal], [$d:literal $e:literal $f:literal], [$s:literal $t:literal $u:literal],
        $load:literal, {$($first:tt)*}, {$($second:tt)*}
    ) => {
        concat!(
            product!(3, $a, 6), product!(4, $b, 6), product!(5, $c, 6),
            $($first)*
            widen!($s, 3), widen!($t, 4),
            product!("smull", ".8b", 3, $d, 7),
            widen!($u, 5),
            product!("smlal2", ".16b", 3, $d, 7), product!(4, $e, 7), product!(5, $f, 7),
            $load,
            $($second)*
            widen!($s, 3), widen!($t, 4), widen!($u, 5),
        )
    };
}

/// A panel's sums over all quads of the rows. The weights of the first two are loaded, and at the end those that follow.
macro_rules! sums {
    (4 quads, $($how:tt)*) => {
        sums!([$($how)*], [11 12 13] [14 15 16] [17 18 19] [20 21 22])
    };
    (5 quads, $($how:tt)*) => {
        sums!([$($how)*], [11 12 13] [14 15 16] [17 18 19] [20 21 22] [23 24 25])
    };
    (6 quads, $($how:tt)*) => {
        sums!([$($how)*], [11 12 13] [14 15 16] [17 18 19] [20 21 22] [23 24 25] [26 27 28])
    };
    (7 quads, $($how:tt)*) => {
        sums!(
            [$($how)*],
            [11 12 13] [14 15 16] [17 18 19] [20 21 22] [23 24 25] [26 27 28] [29 30 31]
        )
    };
    ([$sums:tt, $first:tt, $second:tt], $a:tt $b:tt $($rest:tt)*) => {
        concat!(
            pair!($a, $b, $sums, "ldp q6, q7, [{w}], #32\n", $first, $second),
            quads!($sums, $($rest)*),
        )
    };
}

/// Quads two by two, and one that is left.
macro_rules! quads {
    ($sums:tt, $a:tt $b:tt $c:tt) => {
        concat!(
            pair!($a, $b, $sums, "ldr q6, [{w}], #16\n", {}, {}),
            quads!($sums, $c),
        )
    };
    ($sums:tt, $a:tt $b:tt $($rest:tt)*) => {
        concat!(
            pair!($a, $b, $sums, "ldp q6, q7, [{w}], #32\n", {}, {}),
            quads!($sums, $($rest)*),
        )
    };
    ([$s:literal $t:literal $u:literal], [$a:literal $b:literal $c:literal]) => {
        concat!(
            product!(3, $a, 6), product!(4, $b, 6), product!(5, $c, 6),
            "ldp q6, q7, [{w}], #32\n",
            widen!($s, 3), widen!($t, 4), widen!($u, 5),
        )
    };
    ($sums:tt,) => {
        ""
    };
}

/// Spreads the bytes of v0, v1 and v2, one row each, over quads.
macro_rules! spread {
    (4 quads, [$($first:literal)*], [$($second:literal)*], [$($third:literal)*], [$($fourth:literal)*]) => {
        concat!(
            spread!("zip1", 3, 0), spread!("zip1", 4, 1), spread!("zip1", 5, 2),
            spread!("zip1", [$($first)*]), spread!("zip2", [$($second)*]),
            spread!("zip2", 3, 0), spread!("zip2", 4, 1), spread!("zip2", 5, 2),
            spread!("zip1", [$($third)*]), spread!("zip2", [$($fourth)*]),
        )
    };
    // The quads behind the first.
    (3 quads, [$($second:literal)*], [$($third:literal)*], [$($fourth:literal)*]) => {
        concat!(
            spread!("zip1", 3, 0), spread!("zip1", 4, 1), spread!("zip1", 5, 2),
            spread!("zip2", [$($second)*]),
            spread!("zip2", 3, 0), spread!("zip2", 4, 1), spread!("zip2", 5, 2),
            spread!("zip1", [$($third)*]), spread!("zip2", [$($fourth)*]),
        )
    };
    (2 quads, [$($first:literal)*], [$($second:literal)*]) => {
        concat!(
            spread!("zip1", 3, 0), spread!("zip1", 4, 1), spread!("zip1", 5, 2),
            spread!("zip1", [$($first)*]), spread!("zip2", [$($second)*]),
        )
    };
    (1 quad, [$($first:literal)*]) => {
        concat!(
            spread!("zip1", 3, 0), spread!("zip1", 4, 1), spread!("zip1", 5, 2),
            spread!("zip1", [$($first)*]),
        )
    };
    ($zip:literal, [$a:literal $b:literal $c:literal]) => {
        concat!(
            $zip, " v", $a, ".4s, v3.4s, v3.4s\n",
            $zip, " v", $b, ".4s, v4.4s, v4.4s\n",
            $zip, " v", $c, ".4s, v5.4s, v5.4s\n",
        )
    };
    ($zip:literal, $to:literal, $from:literal) => {
        concat!($zip, " v", $to, ".8h, v", $from, ".8h, v", $from, ".8h\n")
    };
}

/// Loads bytes of each row into v0, v1 and v2: registers named by `size`, from `at`.
macro_rules! load_rows {
    ($size:literal, $at:literal) => {
        load_rows!($size, $at, [0 1 2])
    };
    ($size:literal, $at:literal, [$($r:literal)*]) => {
        concat!($("ldr ", $size, $r, ", [{r", $r, "}, ", $at, "]\n",)*)
    };
}

/// Loads all quads of the rows. What is behind the first sixteen bytes comes by one load that ends where the row ends.
macro_rules! rows {
    (4 quads) => {
        rows!(4 quads, "{tail}")
    };
    (4 quads, $at:literal) => {
        concat!(
            load_rows!("q", $at),
            spread!(4 quads, [11 12 13], [14 15 16], [17 18 19], [20 21 22]),
        )
    };
    (5 quads) => {
        concat!(rows!(4 quads, "#0"), load_rows!("s", "{tail}"), spread!(1 quad, [23 24 25]))
    };
    (6 quads) => {
        concat!(
            rows!(4 quads, "#0"),
            load_rows!("d", "{tail}"),
            spread!(2 quads, [23 24 25], [26 27 28]),
        )
    };
    (7 quads) => {
        concat!(
            rows!(4 quads, "#0"),
            load_rows!("q", "{tail}"),
            spread!(3 quads, [23 24 25], [26 27 28], [29 30 31]),
        )
    };
}

/// Gives each row its own sums, which start with the biases.
macro_rules! copy_biases {
    ([$s:literal $t:literal $u:literal]) => {
        concat!(
            "mov v", $t, ".16b, v", $s, ".16b\n", "mov v", $u, ".16b, v", $s, ".16b\n",
        )
    };
}

/// Converts the rows' sums, the plain way, or the short one with the rounder in a register.
macro_rules! convert_rows {
    (plain, [$($s:literal)*]) => {
        concat!($("scvtf v", $s, ".4s, v", $s, ".4s\n",)*)
    };
    ($rounder:literal, [$($s:literal)*]) => {
        concat!($("fsub v", $s, ".4s, v", $s, ".4s, v", $rounder, ".4s\n",)*)
    };
}

/// Multiplies the rows' converted sums.
macro_rules! scale_rows {
    ([$($s:literal)*], $multiplier:literal) => {
        concat!($("fmul v", $s, ".4s, v", $s, ".4s, v", $multiplier, ".4s\n",)*)
    };
}

/// Two neighbouring panels, up to eight bytes of each row.
macro_rules! twins {
    (7 quads, $narrow:ident) => {
        concat!(
            // The second panel's sums are free until it starts.
            "ldp q0, q8, [{params}], #32\n",
            sums!(7 quads, [0 1 2], {copy_biases!([0 1 2]),}, {}),
            $narrow!(convert, loaded [0 1 2]),
            scale_rows!([0 1 2], 8),
            "ldr q8, [{params}], #32\n",
            sums!(7 quads, [8 9 10], {copy_biases!([8 9 10]),}, {}),
            "ldur q3, [{params}, #-16]\n",
            $narrow!(convert, loaded [8 9 10]),
            scale_rows!([8 9 10], 3),
            $narrow!(twins, loaded),
        )
    };
    ($n:tt quads, $narrow:ident) => {
        concat!(
            "ldp q0, q29, [{params}], #32\n",
            sums!(
                $n quads, [0 1 2],
                {"ldp q8, q30, [{params}], #32\n", copy_biases!([0 1 2]),},
                {copy_biases!([8 9 10]),}
            ),
            sums!(
                $n quads, [8 9 10],
                {$narrow!(convert, kept [0 1 2]),},
                {scale_rows!([0 1 2], 29),}
            ),
            $narrow!(convert, kept [8 9 10]),
            scale_rows!([8 9 10], 30),
            $narrow!(twins, kept),
        )
    };
}

/// One panel, four bytes of each row.
macro_rules! single {
    ($n:tt quads, $narrow:ident) => {
        concat!(
            "ldr q0, [{params}], #32\n",
            sums!($n quads, [0 1 2], {copy_biases!([0 1 2]),}, {}),
            "ldur q3, [{params}, #-16]\n",
            $narrow!(convert, loaded [0 1 2]),
            scale_rows!([0 1 2], 3),
            $narrow!(single),
        )
    };
}

/// Converts sums, and later rounds, narrows and stores what was scaled, the short way of
/// [`requantize_neon`](crate::requantize_neon); `kept` where the rounder is in v31, else it is loaded into v4 to convert.
macro_rules! narrow_short {
    (convert, kept $sums:tt) => {
        convert_rows!(31, $sums)
    };
    (convert, loaded $sums:tt) => {
        concat!("ldr q4, [{finish}]\n", convert_rows!(4, $sums))
    };
    (twins, kept) => {
        narrow_short!(twins, 31)
    };
    (twins, loaded) => {
        narrow_short!(twins, 4)
    };
    (twins, $rounder:literal) => {
        concat!(
            round_rows!([0 1 2], $rounder),
            round_rows!([8 9 10], $rounder),
            "uzp1 v0.8h, v0.8h, v8.8h\n",
            "uzp1 v1.8h, v1.8h, v9.8h\n",
            "uzp1 v2.8h, v2.8h, v10.8h\n",
            each_row!("sqxtn", ".8b", ".8h"),
            store_rows!(twins),
        )
    };
    (single) => {
        concat!(
            round_rows!([0 1 2], 4),
            "uzp1 v0.8h, v0.8h, v1.8h\n",
            "xtn v2.4h, v2.4s\n",
            "sqxtn v0.8b, v0.8h\n",
            "sqxtn2 v0.16b, v2.8h\n",
            store_rows!(single),
        )
    };
}

/// The same the plain way.
macro_rules! narrow_plain {
    (convert, $rounder:ident $sums:tt) => {
        convert_rows!(plain, $sums)
    };
    (twins, $rounder:ident) => {
        concat!(
            each_row!("fcvtns", ".4s", ".4s"),
            "fcvtns v8.4s, v8.4s\n",
            "fcvtns v9.4s, v9.4s\n",
            "fcvtns v10.4s, v10.4s\n",
            each_row!("sqxtn", ".4h", ".4s"),
            "sqxtn2 v0.8h, v8.4s\n",
            "sqxtn2 v1.8h, v9.4s\n",
            "sqxtn2 v2.8h, v10.4s\n",
            clamp_rows!(),
            store_rows!(twins),
        )
    };
    (single) => {
        concat!(
            each_row!("fcvtns", ".4s", ".4s"),
            each_row!("sqxtn", ".4h", ".4s"),
            clamp_rows!(),
            "str s0, [{o0}], #4\n",
            "str s1, [{o1}], #4\n",
            "str s2, [{o2}], #4\n",
        )
    };
}

/// One instruction on each of v0, v1 and v2.
macro_rules! each_row {
    ($op:literal, $to:literal, $from:literal) => {
        concat!(
            $op, " v0", $to, ", v0", $from, "\n", $op, " v1", $to, ", v1", $from, "\n", $op, " v2",
            $to, ", v2", $from, "\n",
        )
    };
    ($op:literal, $lanes:literal, with $v:literal) => {
        concat!(
            $op, " v0", $lanes, ", v0", $lanes, ", v", $v, $lanes, "\n", $op, " v1", $lanes,
            ", v1", $lanes, ", v", $v, $lanes, "\n", $op, " v2", $lanes, ", v2", $lanes, ", v", $v,
            $lanes, "\n",
        )
    };
}

macro_rules! round_rows {
    ([$($s:literal)*], $rounder:literal) => {
        concat!($("fadd v", $s, ".4s, v", $s, ".4s, v", $rounder, ".4s\n",)*)
    };
}

/// The zero point, the last narrowing and the clamp of v0, v1 and v2.
macro_rules! clamp_rows {
    () => {
        concat!(
            "ldp q3, q4, [{finish}, #16]\n",
            "ldr q5, [{finish}, #48]\n",
            each_row!("sqadd", ".8h", with 3),
            each_row!("sqxtn", ".8b", ".8h"),
            each_row!("smax", ".8b", with 4),
            each_row!("smin", ".8b", with 5),
        )
    };
}

macro_rules! store_rows {
    (twins) => {
        concat!(
            "str d0, [{o0}], #8\n",
            "str d1, [{o1}], #8\n",
            "str d2, [{o2}], #8\n",
        )
    };
    (single) => {
        concat!(
            "str s0, [{o0}], #4\n",
            "st1 {{v0.s}}[1], [{o1}], #4\n",
            "st1 {{v0.s}}[2], [{o2}], #4\n",
        )
    };
}

pub(super) use {
    clamp_rows, convert_rows, copy_biases, each_row, load_rows, narrow_plain, narrow_short, pair,
    product, quads, round_rows, rows, scale_rows, single, spread, store_rows, sums, twins, widen,
};
