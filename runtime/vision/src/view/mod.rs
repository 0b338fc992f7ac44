//! From a frame to an encoder's input: which part is seen, read once, looked at, resized,
//! normalised.
//!
//! A [`View`] is a box in the frame's pixels with fractional edges, for that is how the reference
//! preprocessing crops (`0.875 * min(width, height)` is rarely whole). Only the resize rounds, and
//! it rounds as Pillow does.

mod bicubic;
mod entropy;
mod intermediate;
mod normalize;
mod resample;

use std::fmt;
use std::str::FromStr;

pub use intermediate::{INTERMEDIATE_SIDE, Intermediate, MAX_RESOLUTION, Workspace};
pub use normalize::normalize;

/// A part of a frame, in its pixels: upright, after the frame's own crop. Edges need not be whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Distance from the frame's left edge.
    pub left: f64,
    /// Distance from the frame's top edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// The narrowest view there is, in pixels: views of nothing are widened to it.
const MIN_SIDE: f64 = 1.0 / 64.0;

impl View {
    /// The part of this view that lies in a picture of `width` x `height`; at least a sliver at the
    /// nearest edge. A side that is not a number is taken as the whole side.
    pub(crate) fn within(&self, width: f64, height: f64) -> Self {
        let clip = |start: f64, length: f64, side: f64| {
            let (start, end) = (start, start + length);
            if start.is_nan() || end.is_nan() {
                return (0.0, side);
            }
            let start = start.clamp(0.0, side - MIN_SIDE);
            (start, end.clamp(start + MIN_SIDE, side) - start)
        };
        let (left, width) = clip(self.left, self.width, width);
        let (top, height) = clip(self.top, self.height, height);
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// Right edge.
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Bottom edge.
    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The shorter side.
    pub(crate) fn short_side(&self) -> f64 {
        self.width.min(self.height)
    }
}

/// How a frame that is not square is made square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CropMode {
    /// The square in the middle, as models are trained. What lies beside it is not seen.
    #[default]
    Centre,
    /// The whole frame, its proportions squashed.
    Squash,
    /// Squares side by side over the whole frame, each a view of its own.
    Tiles,
    /// `Tiles` of a wide or tall frame, from 7:4 on, `Centre` of any other.
    Auto,
}

/// From how much longer than its short side a frame is wide: 16:9, also where a camera rounds that to whole macroblocks.
const WIDE: f64 = 7.0 / 4.0;

impl CropMode {
    /// What is done to a frame of `width` x `height` pixels: never `Auto`.
    #[must_use]
    pub fn of_frame(self, width: usize, height: usize) -> CropMode {
        let (short, long) = (width.min(height) as f64, width.max(height) as f64);
        match self {
            Self::Auto if long >= WIDE * short => Self::Tiles,
            Self::Auto => Self::Centre,
            told => told,
        }
    }
}

/// The most views that [`CropMode::Tiles`] makes.
const MAX_TILES: usize = 4;

/// The views of a frame of `width` x `height` pixels; none if a side is zero.
///
/// - `Centre`: one square in the middle, its side `crop_fraction` of the short side (a fraction
///   outside 0..=1, or not a number, counts as 1).
/// - `Squash`: one view, the whole frame.
/// - `Tiles`: squares of the short side, from one end of the long side to the other at equal
///   distances, as few as cover it (`ceil(long / short)`): one on a square frame, two on 4:3 and
///   16:9, three on 5:2. They overlap unless they fit exactly. Four at most: a frame longer than
///   4:1 has equal gaps between them.
/// - `Auto`: as `Tiles` or as `Centre`, whichever [`CropMode::of_frame`] says.
#[must_use]
pub fn views(mode: CropMode, width: usize, height: usize, crop_fraction: f64) -> Vec<View> {
    let mut views = Vec::new();
    views_into(mode, width, height, crop_fraction, &mut views);
    views
}

/// [`views`] into the caller's memory.
pub fn views_into(
    mode: CropMode,
    width: usize,
    height: usize,
    crop_fraction: f64,
    views: &mut Vec<View>,
) {
    views.clear();
    let (short, long) = (width.min(height), width.max(height));
    if short == 0 {
        return;
    }
    let (w, h) = (width as f64, height as f64);
    match mode.of_frame(width, height) {
        CropMode::Centre | CropMode::Auto => {
            let fraction = if crop_fraction > 0.0 && crop_fraction <= 1.0 {
                crop_fraction
            } else {
                1.0
            };
            let side = fraction * short as f64;
            views.push(View {
                left: (w - side) / 2.0,
                top: (h - side) / 2.0,
                width: side,
                height: side,
            });
        }
        CropMode::Squash => views.push(View {
            left: 0.0,
            top: 0.0,
            width: w,
            height: h,
        }),
        CropMode::Tiles => {
            let tiles = long.div_ceil(short).min(MAX_TILES);
            let step = (long - short) as f64 / tiles.saturating_sub(1).max(1) as f64;
            let side = short as f64;
            views.extend((0..tiles).map(|tile| {
                let offset = tile as f64 * step;
                let (left, top) = if width > height {
                    (offset, 0.0)
                } else {
                    (0.0, offset)
                };
                View {
                    left,
                    top,
                    width: side,
                    height: side,
                }
            }));
        }
    }
}

impl fmt::Display for CropMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Centre => "centre",
            Self::Squash => "squash",
            Self::Tiles => "tiles",
            Self::Auto => "auto",
        })
    }
}

/// A name that is no crop mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no crop; use centre, squash, tiles or auto")]
pub struct UnknownCropMode(pub String);

impl FromStr for CropMode {
    type Err = UnknownCropMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Centre, Self::Squash, Self::Tiles, Self::Auto]
            .into_iter()
            .find(|mode| mode.to_string() == name)
            .ok_or_else(|| UnknownCropMode(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centre_is_the_manifest_s_square() {
        let [view] = views(CropMode::Centre, 640, 480, 0.875)[..] else {
            panic!("one view")
        };
        assert_eq!(
            view,
            View {
                left: 110.0,
                top: 30.0,
                width: 420.0,
                height: 420.0
            }
        );
        for fraction in [f64::NAN, 0.0, -1.0, 1.5, f64::INFINITY] {
            assert_eq!(views(CropMode::Centre, 4, 3, fraction)[0].height, 3.0);
        }
    }

    #[test]
    fn tiles_cover_the_long_side() {
        let lefts = |width, height| {
            views(CropMode::Tiles, width, height, 0.5)
                .iter()
                .map(|tile| tile.left)
                .collect::<Vec<_>>()
        };
        assert_eq!(lefts(300, 300), [0.0]);
        assert_eq!(lefts(1920, 1080), [0.0, 840.0]);
        assert_eq!(lefts(500, 200), [0.0, 150.0, 300.0]);
        assert_eq!(lefts(200, 100), [0.0, 100.0]);
        assert_eq!(lefts(1000, 100), [0.0, 300.0, 600.0, 900.0]);
        let tops: Vec<_> = views(CropMode::Tiles, 100, 150, 1.0)
            .iter()
            .map(|tile| tile.top)
            .collect();
        assert_eq!(tops, [0.0, 50.0]);
    }

    #[test]
    fn a_wide_frame_is_tiled_and_another_is_not() {
        let of_frame = |width, height| CropMode::Auto.of_frame(width, height);
        for (width, height) in [
            (1920, 1080),
            (848, 480),
            (1366, 768),
            (1080, 1920),
            (2560, 1080),
        ] {
            assert_eq!(of_frame(width, height), CropMode::Tiles, "{width}x{height}");
        }
        for (width, height) in [(640, 480), (3000, 2000), (480, 640), (500, 500)] {
            assert_eq!(
                of_frame(width, height),
                CropMode::Centre,
                "{width}x{height}"
            );
        }
        for (width, height) in [(1920, 1080), (640, 480)] {
            let told = of_frame(width, height);
            let auto = views(CropMode::Auto, width, height, 0.875);
            assert_eq!(auto, views(told, width, height, 0.875));
        }
        assert_eq!(CropMode::Squash.of_frame(1920, 1080), CropMode::Squash);
    }

    #[test]
    fn no_pixels_no_views() {
        for mode in ["centre", "squash", "tiles", "auto"] {
            let mode: CropMode = mode.parse().unwrap();
            assert!(views(mode, 0, 9, 0.875).is_empty());
            assert_eq!(views(mode, 1, 1, 0.875).len(), 1);
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("center".parse::<CropMode>().is_err());
    }

    #[test]
    fn a_stray_view_is_brought_inside() {
        let view = View {
            left: -5.0,
            top: 7.5,
            width: 100.0,
            height: 100.0,
        };
        assert_eq!(
            view.within(20.0, 10.0),
            View {
                left: 0.0,
                top: 7.5,
                width: 20.0,
                height: 2.5
            }
        );
        let view = View {
            left: f64::NAN,
            top: f64::INFINITY,
            width: 1.0,
            height: -3.0,
        };
        assert_eq!(
            view.within(20.0, 10.0),
            View {
                left: 0.0,
                top: 10.0 - MIN_SIDE,
                width: 20.0,
                height: MIN_SIDE
            }
        );
    }
}
