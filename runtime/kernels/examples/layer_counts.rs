//! Runs each layer shape of EfficientNet-Lite0 once between the marker calls of an instruction counter.
//!
//! `QCOUNT_OPTS=,roi=on qcount CPU layer_counts [SIDE]` prints one count for each line of this program's output, in order;
//! a line is the layer, how often the model has it, and its multiply-accumulates. Weights are varied with a bell shape and
//! heavy tails like a trained model's, because the schedules of armv8.0 kernels depend on them.

use ocellus_kernels::{
    AddScales, Affine, Divisor, Epilogue, Isa, PackedConv, PackedDepthwise, PackedGemm, Quantizer,
    Window, dequantize_planes, qs8_add, qs8_channel_sums, quantize_planes,
};

/// Pointwise layers: input reduction of the side, k, n, how often.
const POINTWISE: [(usize, usize, usize, usize); 20] = [
    (2, 32, 16, 1),
    (2, 16, 96, 1),
    (4, 96, 24, 1),
    (4, 24, 144, 2),
    (4, 144, 24, 1),
    (8, 144, 40, 1),
    (8, 40, 240, 2),
    (8, 240, 40, 1),
    (16, 240, 80, 1),
    (16, 80, 480, 3),
    (16, 480, 80, 2),
    (16, 480, 112, 1),
    (16, 112, 672, 3),
    (16, 672, 112, 2),
    (32, 672, 192, 1),
    (32, 192, 1152, 4),
    (32, 1152, 192, 3),
    (32, 1152, 320, 1),
    (32, 320, 1280, 1),
    (0, 1280, 1000, 1),
];

/// Depthwise layers: input reduction, channels, kernel, stride, how often.
const DEPTHWISE: [(usize, usize, usize, usize, usize); 12] = [
    (2, 32, 3, 1, 1),
    (2, 96, 3, 2, 1),
    (4, 144, 3, 1, 1),
    (4, 144, 5, 2, 1),
    (8, 240, 5, 1, 1),
    (8, 240, 3, 2, 1),
    (16, 480, 3, 1, 2),
    (16, 480, 5, 1, 1),
    (16, 672, 5, 1, 2),
    (16, 672, 5, 2, 1),
    (32, 1152, 5, 1, 3),
    (32, 1152, 3, 1, 1),
];

/// Residual additions: reduction, channels, how often.
const ADD: [(usize, usize, usize); 5] = [
    (4, 24, 1),
    (8, 40, 1),
    (16, 80, 2),
    (16, 112, 2),
    (32, 192, 3),
];

unsafe extern "C" {
    fn close(fd: i32) -> i32;
}

fn main() {
    let side: usize = std::env::args()
        .nth(1)
        .map_or(224, |text| text.parse().expect("a side in pixels"));
    let isa = isa();
    let mut random = Random(1);
    println!("# {} {side}", isa.name());
    stem(isa, side, &mut random);
    for (reduction, k, n, times) in POINTWISE {
        // The classifier stands behind the pool: one pixel.
        let m = match reduction {
            0 => 1,
            reduction => side.div_ceil(reduction).pow(2),
        };
        let (weights, bias, multiplier) = random.layer(n, k);
        let packed = PackedGemm::new(isa, &weights, [n, k], epilogue(&bias, &multiplier))
            .expect("a sound layer");
        let a = random.bytes(m * k);
        let mut out = vec![0; m * n];
        measure(|| packed.run(&a, k, m, &mut out, n));
        println!("pointwise {m}x{k}->{n} {times} {}", m * k * n);
    }
    for (reduction, c, kernel, stride, times) in DEPTHWISE {
        let input_side = side.div_ceil(reduction);
        let out_side = input_side.div_ceil(stride);
        let total = ((out_side - 1) * stride + kernel).saturating_sub(input_side);
        let (before, after) = (total / 2, total - total / 2);
        let window = Window {
            kernel: [kernel; 2],
            strides: [stride; 2],
            pads: [before, before, after, after],
        };
        let (filters, bias, multiplier) = random.layer(c, kernel * kernel);
        let taps = kernel * kernel;
        let weights: Vec<i8> = (0..taps * c)
            .map(|i| filters[i % c * taps + i / c])
            .collect();
        let packed =
            PackedDepthwise::new(isa, &weights, c, window, -128, epilogue(&bias, &multiplier))
                .expect("a sound layer");
        let input = random.bytes(input_side * input_side * c);
        let mut out = vec![0; out_side * out_side * c];
        let size = [input_side; 2];
        let mut scratch = vec![0; packed.scratch_len(size)];
        measure(|| packed.run(&input, size, 0..out_side, &mut out, &mut scratch));
        println!(
            "depthwise {kernel}x{kernel}/{stride} {input_side}x{input_side}x{c} {times} {}",
            out.len() * taps
        );
    }
    for (reduction, c, times) in ADD {
        let len = side.div_ceil(reduction).pow(2) * c;
        let (a, b) = (random.bytes(len), random.bytes(len));
        let mut out = vec![0; len];
        let scales = AddScales {
            a_zero_point: 3,
            a_scale: 0.05,
            b_zero_point: -7,
            b_scale: 0.03,
            out_zero_point: 1,
            out_scale: Divisor::new(0.06),
            min: -128,
            max: 127,
        };
        measure(|| qs8_add(isa, &scales, &a, &b, &mut out));
        println!("add {len} {times} 0");
    }
    casts(isa, side, &mut random);
}

fn stem(isa: Isa, side: usize, random: &mut Random) {
    let (n, c, out_side) = (32, 3, side.div_ceil(2));
    let window = Window {
        kernel: [3; 2],
        strides: [2; 2],
        pads: [0, 0, 1, 1],
    };
    let (weights, bias, multiplier) = random.layer(n, 9 * c);
    let packed = PackedConv::new(
        isa,
        &weights,
        [n, c],
        window,
        -1,
        epilogue(&bias, &multiplier),
    )
    .expect("a sound layer");
    let input = random.bytes(side * side * c);
    let mut out = vec![0; out_side * out_side * n];
    let mut scratch = vec![0; packed.scratch_len([side; 2])];
    measure(|| packed.run(&input, [side; 2], 0..out_side, &mut out, &mut scratch));
    println!("stem 3x3/2 {side}x{side}x{c}->{n} 1 {}", out.len() * 9 * c);
}

/// What stands at the two doors: the image, the map of the last layer, its average.
fn casts(isa: Isa, side: usize, random: &mut Random) {
    let affine = Affine {
        scale: 0.018,
        zero_point: -1,
    };
    let image: Vec<f32> = random
        .bytes(side * side * 3)
        .into_iter()
        .map(|b| f32::from(b) / 60.0)
        .collect();
    let mut bytes = vec![0; image.len()];
    let quantizer = Quantizer::new(affine);
    measure(|| quantize_planes(isa, quantizer, &image, 3, &mut bytes));
    println!("quantize planes {side}x{side}x3 1 0");
    let pixels = (side / 32).pow(2);
    let map = random.bytes(pixels * 1280);
    let mut sums = vec![0; 1280];
    measure(|| qs8_channel_sums(isa, &map, -128, &mut sums));
    println!("average pool {pixels}x1280 1 0");
    let mut planes = vec![0.0; map.len()];
    measure(|| dequantize_planes(isa, affine, &map, 1280, &mut planes));
    println!("dequantize planes {pixels}x1280 1 0");
}

fn epilogue<'a>(bias: &'a [i32], multiplier: &'a [f32]) -> Epilogue<'a> {
    Epilogue {
        bias,
        multiplier,
        zero_point: -128,
        min: -128,
        max: 127,
    }
}

fn measure(run: impl FnOnce()) {
    // SAFETY: no file has a negative descriptor; the call fails with EBADF and touches nothing.
    unsafe { close(-77001) };
    run();
    // SAFETY: as above.
    unsafe { close(-77002) };
}

#[cfg(target_arch = "aarch64")]
fn isa() -> Isa {
    use ocellus_kernels::{DotProd, Neon};
    use std::arch::is_aarch64_feature_detected;
    if is_aarch64_feature_detected!("dotprod") && is_aarch64_feature_detected!("fp16") {
        // SAFETY: both were detected, and they include neon.
        return Isa::DotProd(unsafe { DotProd::assume() });
    }
    // SAFETY: every 64-bit ARM CPU that Linux runs on has neon.
    Isa::Neon(unsafe { Neon::assume() })
}

#[cfg(not(target_arch = "aarch64"))]
fn isa() -> Isa {
    Isa::Scalar
}

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> i32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as i32
    }

    fn bytes(&mut self, len: usize) -> Vec<i8> {
        (0..len).map(|_| self.next() as u8 as i8).collect()
    }

    /// Weights of `n` channels whose largest is 127, as symmetric quantization makes them, biases and multipliers.
    fn layer(&mut self, n: usize, k: usize) -> (Vec<i8>, Vec<i32>, Vec<f32>) {
        let mut weights = Vec::with_capacity(n * k);
        for _ in 0..n {
            let bell: Vec<i32> = (0..k)
                .map(|_| (0..6).map(|_| self.next() - 128).sum::<i32>() * (64 + self.next()))
                .collect();
            let largest = bell.iter().map(|w| w.abs()).max().unwrap_or(1).max(1);
            weights.extend(
                bell.iter()
                    .map(|w| (i64::from(*w) * 127 / i64::from(largest)) as i8),
            );
        }
        let bias = (0..n).map(|_| self.next() * 16 - 2048).collect();
        (weights, bias, vec![0.01 / (k as f32).sqrt(); n])
    }
}
