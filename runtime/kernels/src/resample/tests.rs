//! Sums that are written out, and each instruction set against them.

use super::*;
use crate::harness::{Guarded, Place, fills, isas};
use core::ops::Range;

/// A run for each of `targets`, of lengths that go round `lens`, over `side` source pixels; weights of both signs.
fn taps(side: usize, targets: usize, lens: Range<usize>, precision: u32) -> Taps {
    let mut taps = Taps::default();
    taps.begin(precision);
    for target in 0..targets {
        let len = (lens.start + target % lens.len()).min(side);
        let start = (target * side / targets).min(side - len);
        let weight = |tap: usize| ((7919 * (target + 3 * tap + 1)) % 20_011) as i16 - 4000;
        taps.push(start, (0..len).map(weight));
    }
    taps
}

fn bytes(len: usize) -> Vec<u8> {
    let [.., noise] = fills(len);
    noise.into_iter().map(|byte| byte as u8).collect()
}

/// The formula of the module, for a target whose source bytes are `values`.
fn wanted(taps: &Taps, target: usize, values: impl Iterator<Item = u8>) -> u8 {
    let products = values
        .zip(taps.weights(target))
        .map(|(value, &weight)| i64::from(value) * i64::from(weight));
    let sum = products.sum::<i64>() + (1 << (taps.precision() - 1));
    (sum >> taps.precision()).clamp(0, 255) as u8
}

#[test]
fn a_weight_of_one_copies_and_halves_round_up() {
    let mut taps = Taps::default();
    taps.begin(14);
    taps.push(1, [1 << 14]);
    taps.push(0, [1 << 13, 1 << 13]);
    taps.push(0, [-1 << 14]);
    taps.push(0, [i16::MAX]);
    for isa in isas() {
        let rows = Rows {
            bytes: &[9, 200, 10, 255],
            stride: 2,
            first: 0,
        };
        let made = |target| {
            let mut out = [77; 2];
            resample_down(isa, &taps, target, rows, &mut out);
            out
        };
        assert_eq!(
            [made(0), made(1), made(2), made(3)],
            [[10, 255], [10, 228], [0, 0], [18, 255]]
        );
    }
}

#[test]
fn columns_of_every_length_equal_the_formula() {
    for isa in isas() {
        for len in (1..=66).chain([79, 80, 127, 128, 129, 191]) {
            for (lens, precision) in [
                (1..10, 14),
                (9..10, 15),
                (39..41, 16),
                (2..13, 17),
                (1..4, 22),
            ] {
                let (side, first) = (50, 3);
                // The padding after a row is not read, nor after the last one.
                let stride = len + 3;
                let image = bytes(stride * side - 3);
                let taps = taps(side, 17, lens, precision);
                for place in [Place::BeforeGuard, Place::AfterGuard] {
                    let image = Guarded::new(&image, place);
                    let mut out = Guarded::new(&vec![1; len], place);
                    for target in 0..taps.targets() {
                        // Some of the rows above the target's are not there.
                        let first = first.min(taps.sources(target).start);
                        let rows = Rows {
                            bytes: &image[stride * first..],
                            stride,
                            first,
                        };
                        resample_down(isa, &taps, target, rows, &mut out);
                        for (i, &got) in out.iter().enumerate() {
                            let column = taps.sources(target).map(|y| image[stride * y + i]);
                            assert_eq!(
                                got,
                                wanted(&taps, target, column),
                                "{} {len} {target} {i}",
                                isa.name()
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn rows_of_every_width_and_number_equal_the_formula() {
    for isa in isas() {
        for width in (1..=24).chain([61, 64]) {
            for (targets, lens, precision) in [
                (1, 1..2, 14),
                (7, 1..6, 15),
                (33, 3..9, 22),
                (5, 40..43, 16),
                (9, 2..5, 17),
            ] {
                let taps = taps(width, targets, lens, precision);
                let from = 3 * taps.span().len();
                let rows = bytes(ROWS_ACROSS * from);
                for used in 1..=ROWS_ACROSS {
                    let place = if used % 2 == 0 {
                        Place::BeforeGuard
                    } else {
                        Place::AfterGuard
                    };
                    let rows = Guarded::new(&rows, place);
                    let mut space =
                        Guarded::new(&vec![[3; ROWS_ACROSS]; across_space(&taps)], place);
                    let mut out = Guarded::new(&vec![1; used * 3 * targets], place);
                    resample_across(isa, &taps, &rows, &mut space, &mut out);
                    for (i, &got) in out.iter().enumerate() {
                        let (row, x, c) = (i / (3 * targets), i / 3 % targets, i % 3);
                        let pixels = taps.sources(x).map(|x| x - taps.span().start);
                        let values = pixels.map(|x| rows[from * row + 3 * x + c]);
                        let wanted = wanted(&taps, x, values);
                        assert_eq!(got, wanted, "{} {width} {row} {x} {c}", isa.name());
                    }
                }
            }
        }
    }
}

#[test]
fn extremes_clamp_and_do_not_overflow() {
    // As many of the largest weights as a run may hold.
    for (precision, len) in [(14, 32), (15, 64), (16, 128), (17, 128), (22, 128)] {
        for (isa, weight) in isas()
            .into_iter()
            .flat_map(|isa| [(isa, i16::MAX), (isa, i16::MIN)])
        {
            let mut taps = Taps::default();
            taps.begin(precision);
            taps.push(0, vec![weight; len]);
            let source = vec![255; len * 48];
            let wanted = wanted(&taps, 0, source[..len].iter().copied());
            let rows = Rows {
                bytes: &source,
                stride: 48,
                first: 0,
            };
            let mut out = [1; 48];
            resample_down(isa, &taps, 0, rows, &mut out);
            assert_eq!(out, [wanted; 48], "{} {precision} {weight}", isa.name());
            let mut space = vec![[0; ROWS_ACROSS]; across_space(&taps)];
            let mut out = [1; 3 * ROWS_ACROSS];
            let rows = vec![255; ROWS_ACROSS * 3 * len];
            resample_across(isa, &taps, &rows, &mut space, &mut out);
            assert_eq!(
                out,
                [wanted; 3 * ROWS_ACROSS],
                "{} {precision} {weight}",
                isa.name()
            );
        }
    }
}

#[test]
#[should_panic(
    expected = "resample_down: rows 2..5 of 4 bytes, of 11 bytes at a stride of 4 from row 2 on"
)]
fn rows_that_end_early_are_refused() {
    let mut taps = Taps::default();
    taps.begin(14);
    taps.push(2, [1; 3]);
    let rows = Rows {
        bytes: &[0; 11],
        stride: 4,
        first: 2,
    };
    resample_down(Isa::Scalar, &taps, 0, rows, &mut [0; 4]);
}

#[test]
#[should_panic(expected = "resample_down")]
fn rows_that_begin_late_are_refused() {
    let mut taps = Taps::default();
    taps.begin(14);
    taps.push(2, [1; 3]);
    let rows = Rows {
        bytes: &[0; 99],
        stride: 4,
        first: 3,
    };
    resample_down(Isa::Scalar, &taps, 0, rows, &mut [0; 4]);
}
