//! What each block's mean scores at each token with SDOT, up to six blocks by sixteen tokens at a time, as one piece of
//! assembly for each number of blocks: with 24 sums in registers the compiler would spill.
//!
//! v0-v23: sums, four registers of four tokens for each block; v24-v29: sixteen bytes of each mean; v30, v31: a quad of
//! elements of eight tokens. Behind the last quad, v24-v27 are the tokens' scales.

use core::arch::asm;

/// Blocks of a tile.
pub const ROWS: usize = 6;
/// Tokens of a tile.
pub const TOKENS: usize = 16;

/// The keys, `[tokens, row]` with a whole number of tiles, as `[tokens / 16][row / 4][16][4]`.
pub fn pack(keys: &[i8], row: usize) -> alloc::vec::Vec<i8> {
    let mut packed = alloc::vec::Vec::with_capacity(keys.len());
    for tile in keys.chunks_exact(TOKENS * row) {
        for quad in (0..row).step_by(4) {
            for key in tile.chunks_exact(row) {
                packed.extend_from_slice(&key[quad..quad + 4]);
            }
        }
    }
    packed
}

/// Keys as [`pack`] gives them, and their scales.
#[derive(Clone, Copy)]
pub struct Panels {
    pub keys: *const i8,
    pub scales: *const f32,
    pub row: usize,
    pub count: usize,
}

/// Writes the scores of `means`, `[rows, row]`, to the rows of `out`, which lie `out_stride` apart.
///
/// # Safety
///
/// There are panels for all tokens; `means` has one row at least and [`ROWS`] at most; `out` has as many, each with places
/// for whole tiles.
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn scores(panels: Panels, means: &[i8], out: *mut f32, out_stride: usize) {
    let rows = means.len() / panels.row;
    let means = means.as_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        match rows {
            1 => tiles_1(panels, means, out, out_stride),
            2 => tiles_2(panels, means, out, out_stride),
            3 => tiles_3(panels, means, out, out_stride),
            4 => tiles_4(panels, means, out, out_stride),
            5 => tiles_5(panels, means, out, out_stride),
            _ => tiles_6(panels, means, out, out_stride),
        }
    }
}

/// One block's products with eight tokens.
macro_rules! row {
    ($lane:literal $a:literal $s:literal $t:literal) => {
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

/// A quad of elements of all blocks.
macro_rules! quad {
    ($lane:literal $(($name:ident $pointer:literal $i:literal $a:literal $s0:literal $s1:literal $s2:literal $s3:literal))*) => {
        concat!(
            "ldp q30, q31, [{keys}], #32\n",
            $(row!($lane $a $s0 $s1),)*
            "ldp q30, q31, [{keys}], #32\n",
            $(row!($lane $a $s2 $s3),)*
        )
    };
}

/// One block's sums become scores and are stored.
macro_rules! finish {
    ($s0:literal $s1:literal $s2:literal $s3:literal) => {
        concat!(
            finish!($s0 24), finish!($s1 25), finish!($s2 26), finish!($s3 27),
            "stp q", $s0, ", q", $s1, ", [{to}]\n",
            "stp q", $s2, ", q", $s3, ", [{to}, #32]\n",
            "add {to}, {to}, {out_stride}\n",
        )
    };
    ($s:literal $scale:literal) => {
        concat!(
            "scvtf v", $s, ".4s, v", $s, ".4s\n",
            "fmul v", $s, ".4s, v", $s, ".4s, v", $scale, ".4s\n",
        )
    };
}

/// All panels times some blocks.
macro_rules! tiles {
    ($function:ident, $(($name:ident $pointer:literal $i:literal $a:literal $s0:literal $s1:literal $s2:literal $s3:literal))*) => {
        /// # Safety
        ///
        /// See [`scores`].
        #[target_feature(enable = "neon,dotprod")]
        unsafe fn $function(panels: Panels, means: *const i8, out: *mut f32, out_stride: usize) {
            let count = panels.count.div_ceil(TOKENS);
            // SAFETY: the pointers advance by rows, tiles and panels that the caller promises.
            unsafe {
                asm!(
                    "2:",
                    "mov {steps}, {row}",
                    "mov {to}, {out}",
                    $(
                        concat!("movi v", $s0, ".4s, #0"),
                        concat!("movi v", $s1, ".4s, #0"),
                        concat!("movi v", $s2, ".4s, #0"),
                        concat!("movi v", $s3, ".4s, #0"),
                    )*
                    "3:",
                    $(concat!("ldr q", $a, ", [{", $pointer, "}], #16"),)*
                    quad!(0 $(($name $pointer $i $a $s0 $s1 $s2 $s3))*),
                    quad!(1 $(($name $pointer $i $a $s0 $s1 $s2 $s3))*),
                    quad!(2 $(($name $pointer $i $a $s0 $s1 $s2 $s3))*),
                    quad!(3 $(($name $pointer $i $a $s0 $s1 $s2 $s3))*),
                    "subs {steps}, {steps}, #16",
                    "b.ne 3b",
                    $(concat!("sub {", $pointer, "}, {", $pointer, "}, {row}"),)*
                    "ldp q24, q25, [{scales}], #32",
                    "ldp q26, q27, [{scales}], #32",
                    $(finish!($s0 $s1 $s2 $s3),)*
                    "add {out}, {out}, #64",
                    "subs {count}, {count}, #1",
                    "b.ne 2b",
                    $($name = inout(reg) means.add($i * panels.row) => _,)*
                    keys = inout(reg) panels.keys => _,
                    scales = inout(reg) panels.scales => _,
                    row = in(reg) panels.row,
                    out = inout(reg) out => _,
                    out_stride = in(reg) out_stride * 4,
                    count = inout(reg) count => _,
                    steps = out(reg) _,
                    to = out(reg) _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                    options(nostack),
                );
            }
        }
    };
}

tiles!(tiles_1, (r0 "r0" 0 24 0 1 2 3));
tiles!(tiles_2, (r0 "r0" 0 24 0 1 2 3) (r1 "r1" 1 25 4 5 6 7));
tiles!(tiles_3, (r0 "r0" 0 24 0 1 2 3) (r1 "r1" 1 25 4 5 6 7) (r2 "r2" 2 26 8 9 10 11));
tiles!(tiles_4, (r0 "r0" 0 24 0 1 2 3) (r1 "r1" 1 25 4 5 6 7) (r2 "r2" 2 26 8 9 10 11)
    (r3 "r3" 3 27 12 13 14 15));
tiles!(tiles_5, (r0 "r0" 0 24 0 1 2 3) (r1 "r1" 1 25 4 5 6 7) (r2 "r2" 2 26 8 9 10 11)
    (r3 "r3" 3 27 12 13 14 15) (r4 "r4" 4 28 16 17 18 19));
tiles!(tiles_6, (r0 "r0" 0 24 0 1 2 3) (r1 "r1" 1 25 4 5 6 7) (r2 "r2" 2 26 8 9 10 11)
    (r3 "r3" 3 27 12 13 14 15) (r4 "r4" 4 28 16 17 18 19) (r5 "r5" 5 29 20 21 22 23));
