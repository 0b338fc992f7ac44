//! Every depthwise kernel against the specification.

use super::*;
use crate::harness::{Guarded, Place, fills, isas};

/// Holds every instruction set to the specification: all rows at once, and row by row.
fn check(
    weights: &[i8],
    input: &[i8],
    size: [usize; 2],
    channels: usize,
    window: Window,
    points: [i8; 2],
) {
    let Some([oh, ow]) = window.output(size) else {
        return;
    };
    let input = &input[..size[0] * size[1] * channels];
    let weights = &weights[..window.taps() * channels];
    let bias: Vec<i32> = (0..channels as i32).map(|c| c * 100 - 900).collect();
    let multiplier: Vec<f32> = (0..channels)
        .map(|c| 0.003 + 0.002 * (c % 3) as f32)
        .collect();
    let [input_zero_point, zero_point] = points;
    let epilogue = Epilogue {
        bias: &bias,
        multiplier: &multiplier,
        zero_point,
        min: -128,
        max: 127,
    };
    let pack = |isa| {
        PackedDepthwise::new(isa, weights, channels, window, input_zero_point, epilogue).unwrap()
    };
    let mut expected = vec![0; oh * ow * channels];
    pack(Isa::Scalar).run(input, size, 0..oh, &mut expected, &mut []);
    for isa in isas() {
        let packed = pack(isa);
        for place in Place::ALL {
            let input = Guarded::new(input, place);
            let mut scratch = Guarded::new(&vec![77; packed.scratch_len(size)], place);
            let mut out = Guarded::new(&vec![99; expected.len()], place);
            packed.run(&input, size, 0..oh, &mut out, &mut scratch);
            assert!(
                *out == *expected,
                "{}: {size:?} {window:?} {channels} {place:?}",
                isa.name()
            );
            out.fill(99);
            for y in 0..oh {
                let row = &mut out[y * ow * channels..][..ow * channels];
                packed.run(&input, size, y..y + 1, row, &mut scratch);
            }
            assert!(
                *out == *expected,
                "{}: row by row {size:?} {window:?} {channels}",
                isa.name()
            );
            if channels.is_multiple_of(PackedDepthwise::CHANNELS) && channels > 16 {
                out.fill(99);
                let (first, rest) = Columns::of(&mut out, channels).split_at(16);
                for channels in [rest, first] {
                    packed.run_channels((&input, size), 0..oh, channels, &mut scratch);
                }
                assert!(
                    *out == *expected,
                    "{}: by channels {size:?} {window:?} {channels}",
                    isa.name()
                );
            }
            let [top, _, bottom, _] = window.pads;
            if place == Place::ALL[0] && top.max(bottom) < window.kernel[0] {
                in_bands(&packed, &input, size, &expected);
            }
        }
    }
}

/// Bands of each height, of no more rows than they stand on.
fn in_bands(packed: &PackedDepthwise, input: &[i8], size: [usize; 2], expected: &[i8]) {
    let [oh, ow] = packed.window.output(size).unwrap();
    let (row, out_row) = (size[1] * packed.channels, ow * packed.channels);
    for height in 1..=oh {
        let scratch = vec![77; packed.band_scratch_len(size, height)];
        for start in (0..oh).step_by(height) {
            let rows = start..oh.min(start + height);
            let held = packed.window.rows_under(rows.clone(), size[0]);
            let band = Guarded::new(&input[held.start * row..held.end * row], Place::ALL[0]);
            let mut out = vec![99; rows.len() * out_row];
            let mut scratch = Guarded::new(&scratch, Place::ALL[0]);
            let held = (&*band, held);
            let expected = &expected[rows.start * out_row..rows.end * out_row];
            packed.run_band(held.clone(), size, rows.clone(), &mut out, &mut scratch);
            assert_eq!(out, expected, "rows {rows:?} {size:?} {:?}", packed.window);
            if !packed.channels.is_multiple_of(PackedDepthwise::CHANNELS) {
                continue;
            }
            out.fill(99);
            let (none, all) = Columns::of(&mut out, packed.channels).split_at(0);
            let (first, rest) = all.split_at(PackedDepthwise::CHANNELS);
            for channels in [rest, none, first] {
                let held = held.clone();
                packed.run_band_channels(held, size, rows.clone(), channels, &mut scratch);
            }
            assert_eq!(out, expected, "rows {rows:?} {size:?} {:?}", packed.window);
        }
    }
}

#[test]
fn the_specification_counts_padding_as_the_zero_point() {
    let window = Window {
        kernel: [1, 2],
        strides: [1, 1],
        pads: [0, 1, 0, 0],
    };
    let epilogue = Epilogue {
        bias: &[0, 1],
        multiplier: &[1.0, 0.5],
        zero_point: 0,
        min: -128,
        max: 127,
    };
    let packed = PackedDepthwise::new(Isa::Scalar, &[1, 2, 3, 4], 2, window, -4, epilogue).unwrap();
    let mut out = [0; 4];
    packed.run(&[5, 6, 7, 8], [1, 2], 0..1, &mut out, &mut []);
    // Channel 0: -4 + 3 * 5, 5 + 3 * 7; channel 1: (-8 + 4 * 6 + 1) / 2, (12 + 4 * 8 + 1) / 2, ties to even.
    assert_eq!(out, [11, 8, 26, 22]);
}

#[test]
fn every_size_stride_and_pad_equals_the_specification() {
    let [.., weights, input] = fills(4096);
    for kernel in [[3, 3], [5, 5], [1, 1], [2, 4]] {
        for strides in [[1, 1], [2, 2], [1, 2], [3, 1]] {
            for pads in [[0; 4], [1; 4], [0, 0, 1, 1], [2, 2, 2, 2], [4, 0, 1, 6]] {
                for size in [[1, 1], [3, 4], [5, 5], [8, 7]] {
                    for channels in [1, 16, 23] {
                        check(
                            &weights,
                            &input,
                            size,
                            channels,
                            Window {
                                kernel,
                                strides,
                                pads,
                            },
                            [-128, -3],
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_tail_of_channels_equals_the_specification() {
    let [.., weights, input] = fills(8192);
    let small: Vec<i8> = weights.iter().map(|w| w / 4).collect();
    for channels in 1..=50 {
        for (kernel, pad) in [(3, 1), (5, 2)] {
            let window = Window {
                kernel: [kernel; 2],
                strides: [1, 1],
                pads: [pad; 4],
            };
            check(&weights, &input, [4, 5], channels, window, [-128, -128]);
            check(&small, &input, [4, 5], channels, window, [3, 7]);
        }
    }
}

#[test]
fn wide_images_equal_the_specification() {
    let [.., weights, input] = fills(3 * 300 * 33);
    let small: Vec<i8> = weights.iter().map(|w| w / 3).collect();
    for strides in [[1, 1], [2, 2]] {
        let window = Window {
            kernel: [3, 3],
            strides,
            pads: [1; 4],
        };
        check(&small, &input, [3, 300], 33, window, [-128, -128]);
    }
}

#[test]
fn images_that_are_cut_into_tiles_equal_the_specification() {
    let [.., weights, input] = fills(30 * 16 * 330);
    let small: Vec<i8> = weights.iter().map(|w| w / 3).collect();
    for (size, channels) in [
        ([4, 13], 330),
        ([7, 5], 100),
        ([30, 16], 330),
        ([4, 60], 80),
    ] {
        for (kernel, pad) in [(3, 1), (5, 2)] {
            for stride in [1, 2] {
                let window = Window {
                    kernel: [kernel; 2],
                    strides: [stride; 2],
                    pads: [pad; 4],
                };
                check(&small, &input, size, channels, window, [-128, -128]);
            }
        }
    }
}

#[test]
fn extremes_equal_the_specification() {
    for weights in fills(25 * 18) {
        for input in fills(6 * 6 * 18) {
            for (kernel, pad) in [(3, 1), (5, 2)] {
                for point in [-128, 0, 127] {
                    let window = Window {
                        kernel: [kernel; 2],
                        strides: [1, 1],
                        pads: [pad; 4],
                    };
                    check(&weights, &input, [6, 6], 18, window, [point, point]);
                }
            }
        }
    }
}
