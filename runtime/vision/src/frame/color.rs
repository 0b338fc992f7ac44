//! YUV to RGB in integers.
//!
//! ITU-R BT.601-7 and BT.709-6 define luma by the weights `Kr`, `Kb` of red and blue, and chroma as
//! scaled differences to it. Solved for red, green and blue, with `s = 255/219` and `c = 255/224`
//! for limited range (16..235 and 16..240) or 1 for full range (JFIF):
//!
//! ```text
//! R = s (Y - Y0) + 2 c (1 - Kr)          (Cr - 128)
//! B = s (Y - Y0) + 2 c (1 - Kb)          (Cb - 128)
//! G = s (Y - Y0) - 2 c (1 - Kr) (Kr / Kg) (Cr - 128) - 2 c (1 - Kb) (Kb / Kg) (Cb - 128),   Kg = 1 - Kr - Kb
//! ```
//!
//! Here each factor is rounded to 13 fractional bits, the sum is rounded by adding one half (4096),
//! shifted right arithmetically by 13, and clamped to 0..=255. Factors fit 16 bits and sums 32, so
//! compilers use the widening 16-bit multiplies of NEON, and every processor gives the same bytes.
//!
//! Chroma is not interpolated: a pixel takes the sample of its 2x2 or 2x1 block. The reduction that
//! follows averages over far more than the half pixel that siting is about.

/// The weights by which luma was made from red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorMatrix {
    /// ITU-R BT.601: standard definition, JPEG, and what most sensors' drivers report.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Which part of 0..=255 black to white takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorRange {
    /// Luma 0..=255, chroma 0..=255: JPEG.
    Full,
    /// Luma 16..=235, chroma 16..=240: video.
    #[default]
    Limited,
}

const FRACTION_BITS: u32 = 13;

/// Pixels converted at a time: a vector register of bytes.
const LANES: usize = 16;

/// The factors of the module's formula, times 2^13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factors {
    black: i16,
    luma: i16,
    red_by_cr: i16,
    green_by_cb: i16,
    green_by_cr: i16,
    blue_by_cb: i16,
}

impl Factors {
    pub(crate) fn of(matrix: ColorMatrix, range: ColorRange) -> Self {
        let (black, luma, [red_by_cr, green_by_cb, green_by_cr, blue_by_cb]) = match (matrix, range)
        {
            (ColorMatrix::Bt601, ColorRange::Full) => (0, 8192, [11485, 2819, 5850, 14516]),
            (ColorMatrix::Bt601, ColorRange::Limited) => (16, 9539, [13075, 3209, 6660, 16525]),
            (ColorMatrix::Bt709, ColorRange::Full) => (0, 8192, [12901, 1535, 3835, 15201]),
            (ColorMatrix::Bt709, ColorRange::Limited) => (16, 9539, [14686, 1747, 4366, 17305]),
        };
        Self {
            black,
            luma,
            red_by_cr,
            green_by_cb,
            green_by_cr,
            blue_by_cb,
        }
    }

    /// Converts one row; `rgb` holds three bytes for each sample of `luma`, `cb` and `cr`, which
    /// are equally long.
    pub(crate) fn convert(&self, luma: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
        let (luma, luma_tail) = luma.as_chunks::<LANES>();
        let (cb, cb_tail) = cb.as_chunks::<LANES>();
        let (cr, cr_tail) = cr.as_chunks::<LANES>();
        let (rgb, rgb_tail) = rgb.as_chunks_mut::<{ 3 * LANES }>();
        for (((rgb, luma), cb), cr) in rgb.iter_mut().zip(luma).zip(cb).zip(cr) {
            // Channels apart, then interleaved: compilers vectorise these loops, and not their
            // fusion.
            let [mut r, mut g, mut b] = [[0; LANES]; 3];
            for lane in 0..LANES {
                [r[lane], g[lane], b[lane]] = self.pixel(luma[lane], cb[lane], cr[lane]);
            }
            for (lane, pixel) in rgb.as_chunks_mut().0.iter_mut().enumerate() {
                *pixel = [r[lane], g[lane], b[lane]];
            }
        }
        let tail = luma_tail.iter().zip(cb_tail).zip(cr_tail);
        for (((&y, &cb), &cr), pixel) in tail.zip(rgb_tail.as_chunks_mut().0) {
            *pixel = self.pixel(y, cb, cr);
        }
    }

    #[inline(always)]
    fn pixel(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let times = |factor: i16, value: i16| i32::from(factor) * i32::from(value);
        let clamp = |sum: i32| (sum >> FRACTION_BITS).clamp(0, 255) as u8;
        let (cb, cr) = (i16::from(cb) - 128, i16::from(cr) - 128);
        let grey = times(self.luma, i16::from(y) - self.black) + (1 << (FRACTION_BITS - 1));
        [
            clamp(grey + times(self.red_by_cr, cr)),
            clamp(grey - times(self.green_by_cb, cb) - times(self.green_by_cr, cr)),
            clamp(grey + times(self.blue_by_cb, cb)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [(ColorMatrix, ColorRange); 4] = [
        (ColorMatrix::Bt601, ColorRange::Full),
        (ColorMatrix::Bt601, ColorRange::Limited),
        (ColorMatrix::Bt709, ColorRange::Full),
        (ColorMatrix::Bt709, ColorRange::Limited),
    ];

    /// The module's formula in floating point: black level, then the five factors.
    fn exact(matrix: ColorMatrix, range: ColorRange) -> (f64, [f64; 5]) {
        let (kr, kb) = match matrix {
            ColorMatrix::Bt601 => (0.299, 0.114),
            ColorMatrix::Bt709 => (0.2126, 0.0722),
        };
        let (black, s, c) = match range {
            ColorRange::Full => (0.0, 1.0, 1.0),
            ColorRange::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        };
        let (red, blue, kg) = (2.0 * c * (1.0 - kr), 2.0 * c * (1.0 - kb), 1.0 - kr - kb);
        (black, [s, red, blue * kb / kg, red * kr / kg, blue])
    }

    #[test]
    fn factors_are_the_standards() {
        for (matrix, range) in KINDS {
            let got = Factors::of(matrix, range);
            let (black, factors) = exact(matrix, range);
            let got_factors = [
                got.luma,
                got.red_by_cr,
                got.green_by_cb,
                got.green_by_cr,
                got.blue_by_cb,
            ];
            assert_eq!(f64::from(got.black), black);
            assert_eq!(
                got_factors.map(f64::from),
                factors.map(|factor| (factor * 8192.0).round()),
                "{matrix:?} {range:?}"
            );
        }
    }

    #[test]
    fn every_sample_is_within_one_of_floating_point() {
        for (matrix, range) in KINDS {
            let factors = Factors::of(matrix, range);
            let (black, [s, rv, gu, gv, bu]) = exact(matrix, range);
            for y in 0..=255_u8 {
                for (cb, cr) in (0..=255_u8)
                    .step_by(5)
                    .flat_map(|cb| (0..=255_u8).step_by(5).map(move |cr| (cb, cr)))
                {
                    let (grey, u, v) = (
                        s * (f64::from(y) - black),
                        f64::from(cb) - 128.0,
                        f64::from(cr) - 128.0,
                    );
                    let wanted = [grey + rv * v, grey - gu * u - gv * v, grey + bu * u]
                        .map(|x| x.clamp(0.0, 255.0));
                    let got = factors.pixel(y, cb, cr);
                    for (got, wanted) in got.into_iter().zip(wanted) {
                        assert!(
                            (f64::from(got) - wanted).abs() < 0.55,
                            "{matrix:?} {range:?} {y} {cb} {cr}: {got} {wanted}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn greys_stay_grey_and_white_is_white() {
        for (matrix, range) in KINDS {
            let factors = Factors::of(matrix, range);
            let (black, white) = match range {
                ColorRange::Full => (0, 255),
                ColorRange::Limited => (16, 235),
            };
            assert_eq!(factors.pixel(black, 128, 128), [0; 3]);
            assert_eq!(factors.pixel(white, 128, 128), [255; 3]);
            assert!((0..=255).all(|y| {
                let [r, g, b] = factors.pixel(y, 128, 128);
                r == g && g == b
            }));
        }
    }
}
