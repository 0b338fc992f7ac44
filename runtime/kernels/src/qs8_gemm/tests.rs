//! The matrix kernels against their specification.

use super::*;
use crate::harness::{Guarded, Place, fills, isas};

/// Holds every instruction set to the specification, in every place, with gaps between rows that must stay as they are.
fn check(weights: &[i8], a: &[i8], [m, n, k]: [usize; 3], gaps: [usize; 2], epilogue: Epilogue) {
    let (a_stride, out_stride) = (k + gaps[0], n + gaps[1]);
    let a_len = if m == 0 { 0 } else { (m - 1) * a_stride + k };
    let out_len = if m == 0 { 0 } else { (m - 1) * out_stride + n };
    let mut expected = vec![99; out_len];
    PackedGemm::new(Isa::Scalar, weights, [n, k], epilogue)
        .unwrap()
        .run(a, a_stride, m, &mut expected, out_stride);
    for isa in isas() {
        let packed = PackedGemm::new(isa, weights, [n, k], epilogue).unwrap();
        for place in Place::ALL {
            let a = Guarded::new(&a[..a_len], place);
            let mut out = Guarded::new(&vec![99; out_len], place);
            packed.run(&a, a_stride, m, &mut out, out_stride);
            let said = || {
                format!(
                    "{}: {m}x{n}x{k} gaps {gaps:?} {place:?} {epilogue:?}",
                    isa.name()
                )
            };
            assert!(*out == *expected, "{}", said());
            if n > PackedGemm::COLUMNS && m > 0 {
                check_columns(
                    &packed,
                    (&a, a_stride),
                    m,
                    (&expected, out_stride),
                    place,
                    &said,
                );
            }
        }
    }
}

/// Holds some columns, the last and the others, to those of all.
fn check_columns(
    packed: &PackedGemm,
    a: (&[i8], usize),
    m: usize,
    (expected, stride): (&[i8], usize),
    place: Place,
    said: &dyn Fn() -> String,
) {
    let [n, _] = packed.shape();
    let cut = (n - 1) / PackedGemm::COLUMNS * PackedGemm::COLUMNS;
    let rows = expected.chunks(stride).map(|row| &row[..n]);
    let expected: Vec<i8> = rows.flatten().copied().collect();
    let mut out = Guarded::new(&vec![99; m * n], place);
    let (first, last) = Columns::of(&mut out, n).split_at(cut);
    for columns in [last, first] {
        packed.run_columns(a, columns);
    }
    assert!(*out == *expected, "columns cut at {cut} of {}", said());
}

#[test]
#[should_panic(expected = "1..32 are no columns of 40")]
fn columns_are_cut_between_panels() {
    let (bias, multiplier) = scales(40, 1);
    let epilogue = Epilogue {
        bias: &bias,
        multiplier: &multiplier,
        zero_point: 0,
        min: -128,
        max: 127,
    };
    let packed = PackedGemm::new(Isa::Scalar, &[1; 40], [40, 1], epilogue).unwrap();
    let mut out = [0; 40];
    let (_, columns) = Columns::of(&mut out, 40).split_at(1);
    packed.run_columns((&[1], 1), columns.split_at(32).0);
}

/// Biases and multipliers that spread the sums of `k` products over the bytes and beyond.
fn scales(n: usize, k: usize) -> (Vec<i32>, Vec<f32>) {
    let bias = (0..n).map(|c| (c as i32 * 7919) % 4001 - 2000).collect();
    let multiplier = (0..n)
        .map(|c| 0.003 * (1 + c % 5) as f32 / (k as f32 + 1.0).sqrt())
        .collect();
    (bias, multiplier)
}

#[test]
fn the_specification_is_the_product_then_the_epilogue() {
    let epilogue = Epilogue {
        bias: &[1, -10],
        multiplier: &[0.5, 1.0],
        zero_point: 3,
        min: -100,
        max: 20,
    };
    let packed = PackedGemm::new(Isa::Scalar, &[1, 2, -3, 4], [2, 2], epilogue).unwrap();
    let mut out = [0; 4];
    packed.run(&[2, 3, -128, 127], 2, 2, &mut out, 2);
    // (2 + 6 + 1) / 2 = 4.5 -> 4; -6 + 12 - 10 = -4; (-128 + 254 + 1) / 2 = 63.5 -> 64; 384 + 508 - 10.
    assert_eq!(out, [4 + 3, -4 + 3, 20, 20]);
}

#[test]
fn every_tail_equals_the_specification() {
    let noise = &fills(4096)[5];
    let other = &fills(4096)[6];
    for k in (0..=50).chain([63, 64, 65, 96, 127, 160]) {
        for n in [1, 2, 3, 4, 5, 8, 9, 12, 16, 17, 24] {
            let (bias, multiplier) = scales(n, k);
            for m in [0, 1, 2, 3, 4, 5, 6, 7, 8, 13] {
                if (k > 20 && k % 8 > 1 && m > 4) || (n + k + m) % 3 == 0 {
                    continue;
                }
                let epilogue = Epilogue {
                    bias: &bias,
                    multiplier: &multiplier,
                    zero_point: (m * 37) as u8 as i8,
                    min: -128,
                    max: 127,
                };
                check(&noise[..n * k], other, [m, n, k], [m % 2, n % 3], epilogue);
            }
        }
    }
}

#[test]
fn blocks_of_rows_equal_the_specification() {
    let (m, n, k) = (331, 20, 200);
    let (bias, multiplier) = scales(n, k);
    let epilogue = Epilogue {
        bias: &bias,
        multiplier: &multiplier,
        zero_point: -128,
        min: -128,
        max: 127,
    };
    let [.., weights, a] = fills(m * k);
    check(&weights[..n * k], &a, [m, n, k], [0, 0], epilogue);
}

#[test]
fn extremes_equal_the_specification() {
    for k in [1, 16, 24, 40, 300] {
        let n = 18;
        for weights in fills(n * k) {
            for a in fills(7 * k) {
                let (bias, mut multiplier) = scales(n, k);
                for (zero_point, min, max) in [
                    (-128, -128, 127),
                    (127, -128, 127),
                    (0, -128, 127),
                    (-128, -128, 0),
                    (5, 5, 100),
                    (0, 0, 0),
                ] {
                    let epilogue = Epilogue {
                        bias: &bias,
                        multiplier: &multiplier,
                        zero_point,
                        min,
                        max,
                    };
                    check(&weights, &a, [7, n, k], [0, 0], epilogue);
                }
                multiplier[3] = 1e30;
                multiplier[4] = 0.0;
                let epilogue = Epilogue {
                    bias: &bias,
                    multiplier: &multiplier,
                    zero_point: -128,
                    min: -128,
                    max: 127,
                };
                check(&weights, &a, [7, n, k], [0, 0], epilogue);
            }
        }
    }
}

#[test]
fn lanes_filled_to_their_bound_equal_the_specification() {
    // Weights by turns of eight `k`, so that lanes reach 255 after two, three and four, or never.
    for turns in [
        [127, 127, 1, 0],
        [-128, -127, 0, 0],
        [64, 64, 64, 63],
        [3, -2, 1, 0],
        [-128, 127, -128, 127],
    ] {
        for k in [16, 20, 24, 27, 32, 33, 40, 64, 72, 80, 500] {
            let (n, m) = (20, 7);
            let weights: Vec<i8> = (0..n * k).map(|i| turns[i % k / 8 % 4]).collect();
            let (bias, multiplier) = scales(n, k);
            let epilogue = Epilogue {
                bias: &bias,
                multiplier: &multiplier,
                zero_point: -128,
                min: -128,
                max: 127,
            };
            for a in fills(m * k) {
                check(&weights, &a, [m, n, k], [0, 0], epilogue);
            }
        }
    }
}

#[test]
fn short_rows_equal_the_specification_for_every_remainder() {
    let [.., weights, a] = fills(22 * 48);
    // By the short way of rounding, then by the plain one.
    for (zero_point, max) in [(-128, 127), (3, 127), (4, 99)] {
        for k in 16..=48 {
            for n in [4, 8, 12, 22] {
                for m in 1..=7 {
                    let (bias, multiplier) = scales(n, k);
                    let epilogue = Epilogue {
                        bias: &bias,
                        multiplier: &multiplier,
                        zero_point,
                        min: -128,
                        max,
                    };
                    let a = &a[k * n % 100..];
                    check(&weights[..n * k], a, [m, n, k], [k % 3, m % 2], epilogue);
                }
            }
        }
    }
}

#[test]
fn two_least_weights_equal_the_specification_wherever_they_stand() {
    // The greatest product in 16 bits twice, in one channel of the second of four panels: where both meet in a lane the
    // panel has no loop, and groups of one and of two panels stand beside it.
    let (n, m) = (16, 4);
    for k in [16, 19, 20, 21, 24, 27, 32, 33, 40, 45] {
        for first in 0..k {
            for distance in [1, 2, 4, 8] {
                let mut weights = vec![1; n * k];
                let channel = 4 + first % 4;
                for at in [first, first + distance] {
                    if at < k {
                        weights[channel * k + at] = i8::MIN;
                    }
                }
                let epilogue = Epilogue {
                    bias: &[-32_768; 16],
                    multiplier: &[0.01; 16],
                    zero_point: 0,
                    min: -128,
                    max: 127,
                };
                check(&weights, &vec![i8::MIN; m * k], [m, n, k], [0, 0], epilogue);
            }
        }
    }
}

#[test]
fn runs_of_every_length_equal_the_specification() {
    let [.., weights, a] = fills(10 * 700);
    let (n, m) = (10, 4);
    for divisor in [2, 5, 11, 40] {
        let small: Vec<i8> = weights.iter().map(|w| w / divisor).collect();
        for k in [16, 24, 31, 32, 48, 90, 128, 255, 700] {
            let (bias, multiplier) = scales(n, k);
            let epilogue = Epilogue {
                bias: &bias,
                multiplier: &multiplier,
                zero_point: 3,
                min: -128,
                max: 127,
            };
            check(&small[..n * k], &a, [m, n, k], [0, 3], epilogue);
        }
    }
}

#[test]
fn ties_equal_the_specification_by_either_way_of_rounding() {
    // Sums of -508..=508 at a quarter: every tie there is.
    for zero_point in [-128, -127, 0, 1, 126] {
        for multiplier in [0.25, 0.5] {
            let (bias, multiplier) = (vec![0; 16], vec![multiplier; 16]);
            let epilogue = Epilogue {
                bias: &bias,
                multiplier: &multiplier,
                zero_point,
                min: -128,
                max: 127,
            };
            for weight in [1, 2, 3, 5] {
                let a: Vec<i8> = (-128..=127).collect();
                check(&[weight; 16], &a, [256, 16, 1], [0, 0], epilogue);
            }
        }
    }
}

#[test]
fn ties_of_sums_of_every_size_equal_the_specification() {
    // A tie every 2^15, up to sums that a float does not hold beside a rounder and beyond; rows long enough for a loop.
    let bias: Vec<i32> = (0..16).map(|c| (2 * (19 * c - 140) + 1) << 14).collect();
    let multiplier = [1.0 / 32_768.0; 16];
    let mut weights = [0; 16 * 16];
    weights.chunks_mut(16).for_each(|row| row[0] = 1);
    let a: Vec<i8> = (0..256 * 16).map(|i| (i / 16) as u8 as i8).collect();
    for channels in [8, 16] {
        for zero_point in [-128, -2, 0, 1, 126] {
            for bias in [&bias[..channels], &vec![1 << 14; channels]] {
                let epilogue = Epilogue {
                    bias,
                    multiplier: &multiplier[..channels],
                    zero_point,
                    min: -128,
                    max: 127,
                };
                check(
                    &weights[..16 * channels],
                    &a,
                    [256, channels, 16],
                    [0, 0],
                    epilogue,
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "too few for 3 rows")]
fn a_short_slice_is_refused() {
    let epilogue = Epilogue {
        bias: &[0],
        multiplier: &[1.0],
        zero_point: 0,
        min: -128,
        max: 127,
    };
    let packed = PackedGemm::new(Isa::Scalar, &[1, 1], [1, 2], epilogue).unwrap();
    packed.run(&[0; 7], 3, 3, &mut [0; 3], 1);
}

#[test]
#[should_panic(expected = "rows of out lie 1 apart")]
fn a_short_stride_is_refused() {
    let epilogue = Epilogue {
        bias: &[0; 2],
        multiplier: &[1.0; 2],
        zero_point: 0,
        min: -128,
        max: 127,
    };
    let packed = PackedGemm::new(Isa::Scalar, &[1, 1], [2, 1], epilogue).unwrap();
    packed.run(&[0; 2], 1, 2, &mut [0; 4], 1);
}
