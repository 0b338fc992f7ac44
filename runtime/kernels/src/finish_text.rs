//! The epilogue of kernels with SDOT, as assembly text over numbered registers: rows of sixteen or eight channels from
//! their sums to stored bytes, each way of [`requantize_neon`](crate::requantize_neon).
//!
//! Pointers have names: `{out}` the row's bytes and `{out_stride}` how far it then moves, `{finish}` the
//! [`Finish`](crate::requantize_neon::Finish), `{shift}` the channels' shifts of the positive way.

/// The short way. `sums`, the channels' `multipliers`, registers `[a b]` that are free, `constants`: three registers.
macro_rules! short {
    (load [$rounder:literal $($constant:literal)*]) => {
        concat!("ldr q", $rounder, ", [{finish}]\n")
    };
    ([$($s:literal)*] [$($m:literal)*] $free:tt [$rounder:literal $($constant:literal)*]) => {
        concat!(
            $("fsub v", $s, ".4s, v", $s, ".4s, v", $rounder, ".4s\n",)*
            $("fmul v", $s, ".4s, v", $s, ".4s, v", $m, ".4s\n",)*
            $("fadd v", $s, ".4s, v", $s, ".4s, v", $rounder, ".4s\n",)*
            narrow!($($s)*),
        )
    };
}

/// The positive way.
macro_rules! positive {
    (load [$rounder:literal $($constant:literal)*]) => {
        concat!("ldr q", $rounder, ", [{finish}]\n")
    };
    ([$s:literal $t:literal $u:literal $v:literal] [$($m:literal)*] [$a:literal $b:literal] [$rounder:literal $($constant:literal)*]) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [{shift}]\n",
            positive!(add [$a $b] [$s $t] [$($m)*]),
            // These two are free now.
            "ldp q", $s, ", q", $t, ", [{shift}, #32]\n",
            positive!(add [$s $t] [$u $v] [$($m)*] behind two),
            positive!(round [$a $b $s $t] $rounder),
            narrow!($a $b $s $t),
        )
    };
    ([$s:literal $t:literal] [$($m:literal)*] [$a:literal $b:literal] [$rounder:literal $($constant:literal)*]) => {
        concat!(
            "ldp q", $a, ", q", $b, ", [{shift}]\n",
            positive!(add [$a $b] [$s $t] [$($m)*]),
            positive!(round [$a $b] $rounder),
            narrow!($a $b),
        )
    };
    (add $to:tt $sums:tt [$m:literal $n:literal $o:literal $p:literal] behind two) => {
        positive!(add $to $sums [$o $p])
    };
    (add [$a:literal $b:literal] [$s:literal $t:literal] [$m:literal $n:literal $($others:literal)*]) => {
        concat!(
            "fmla v", $a, ".4s, v", $s, ".4s, v", $m, ".4s\n",
            "fmla v", $b, ".4s, v", $t, ".4s, v", $n, ".4s\n",
        )
    };
    (round [$($s:literal)*] $rounder:literal) => {
        concat!($("fadd v", $s, ".4s, v", $s, ".4s, v", $rounder, ".4s\n",)*)
    };
}

/// The plain way.
macro_rules! plain {
    (load [$zero_point:literal $min:literal $max:literal]) => {
        concat!(
            "ldp q", $zero_point, ", q", $min, ", [{finish}, #16]\n",
            "ldr q", $max, ", [{finish}, #48]\n",
        )
    };
    ([$($s:literal)*] [$($m:literal)*] $free:tt $constants:tt) => {
        concat!(
            $("scvtf v", $s, ".4s, v", $s, ".4s\n",)*
            $("fmul v", $s, ".4s, v", $s, ".4s, v", $m, ".4s\n",)*
            $("fcvtns v", $s, ".4s, v", $s, ".4s\n",)*
            plain!(narrow [$($s)*] $constants),
        )
    };
    (narrow [$s:literal $t:literal $u:literal $v:literal] [$zero_point:literal $min:literal $max:literal]) => {
        concat!(
            plain!(halves $s $t $zero_point), plain!(halves $u $v $zero_point),
            narrow!("sqxtn", $s ".8b", $s), narrow!("sqxtn2", $s ".16b", $u),
            plain!(clamp $s ".16b" $min $max),
        )
    };
    (narrow [$s:literal $t:literal] [$zero_point:literal $min:literal $max:literal]) => {
        concat!(
            plain!(halves $s $t $zero_point), narrow!("sqxtn", $s ".8b", $s),
            plain!(clamp $s ".8b" $min $max),
        )
    };
    (halves $s:literal $t:literal $zero_point:literal) => {
        concat!(
            "sqxtn v", $s, ".4h, v", $s, ".4s\n",
            "sqxtn2 v", $s, ".8h, v", $t, ".4s\n",
            "sqadd v", $s, ".8h, v", $s, ".8h, v", $zero_point, ".8h\n",
        )
    };
    (clamp $s:literal $lanes:literal $min:literal $max:literal) => {
        concat!(
            "smax v", $s, $lanes, ", v", $s, $lanes, ", v", $min, $lanes, "\n",
            "smin v", $s, $lanes, ", v", $s, $lanes, ", v", $max, $lanes, "\n",
            narrow!(store $s $lanes),
        )
    };
}

/// Stores the rounded sums' low bytes, saturated.
macro_rules! narrow {
    ($s:literal $t:literal $u:literal $v:literal) => {
        concat!(
            narrow!(halves $s $t), narrow!(halves $u $v),
            narrow!("sqxtn", $s ".8b", $s), narrow!("sqxtn2", $s ".16b", $u),
            narrow!(store $s ".16b"),
        )
    };
    ($s:literal $t:literal) => {
        concat!(narrow!(halves $s $t), narrow!("sqxtn", $s ".8b", $s), narrow!(store $s ".8b"))
    };
    (halves $s:literal $t:literal) => {
        concat!("uzp1 v", $s, ".8h, v", $s, ".8h, v", $t, ".8h\n")
    };
    ($op:literal, $to:literal $lanes:literal, $from:literal) => {
        concat!($op, " v", $to, $lanes, ", v", $from, ".8h\n")
    };
    (store $s:literal $lanes:literal) => {
        concat!("st1 {{v", $s, $lanes, "}}, [{out}], {out_stride}\n")
    };
}

pub(crate) use {narrow, plain, positive, short};
