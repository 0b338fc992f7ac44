//! Which way is up: the eight ways a picture can lie, by EXIF's numbering.
//!
//! A turn is kept apart from the pixels as long as it can be, because a small intermediate is
//! turned in a fraction of the time a frame takes. An orientation is a transposition (or none)
//! followed by a mirroring of columns, of rows, of both, or of neither, so one loop and one box
//! formula serve all eight.

use crate::view::View;

/// What has to be done to stored pixels to make them upright (EXIF 2.3, tag 0x0112).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// Nothing (1).
    #[default]
    Upright,
    /// Swap left and right (2).
    FlipHorizontal,
    /// Half a turn (3).
    Rotate180,
    /// Swap top and bottom (4).
    FlipVertical,
    /// Swap rows and columns (5).
    Transpose,
    /// A quarter turn clockwise (6).
    Rotate90,
    /// Swap rows and columns along the other diagonal (7).
    Transverse,
    /// A quarter turn counter-clockwise (8).
    Rotate270,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// First swap columns and rows, then mirror.
#[derive(Clone, Copy)]
struct Steps {
    swap: bool,
    mirror_x: bool,
    mirror_y: bool,
}

impl Orientation {
    /// Every orientation, in EXIF's order.
    pub const ALL: [Self; 8] = [
        Self::Upright,
        Self::FlipHorizontal,
        Self::Rotate180,
        Self::FlipVertical,
        Self::Transpose,
        Self::Rotate90,
        Self::Transverse,
        Self::Rotate270,
    ];

    /// The orientation of an EXIF number, 1..=8.
    #[must_use]
    pub fn from_exif(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Size of an upright picture whose stored pixels have size `stored`.
    pub(crate) fn upright(self, stored: Extent) -> Extent {
        if self.steps().swap {
            Extent {
                width: stored.height,
                height: stored.width,
            }
        } else {
            stored
        }
    }

    /// Where a box of the upright picture lies among the stored pixels, which have size `stored`.
    pub(crate) fn stored_view(self, view: &View, stored: Extent) -> View {
        let steps = self.steps();
        let upright = self.upright(stored);
        let mirrored = |start: f64, length: f64, side: usize, mirror: bool| {
            if mirror {
                (side as f64 - (start + length)).max(0.0)
            } else {
                start
            }
        };
        let left = mirrored(view.left, view.width, upright.width, steps.mirror_x);
        let top = mirrored(view.top, view.height, upright.height, steps.mirror_y);
        if steps.swap {
            View {
                left: top,
                top: left,
                width: view.height,
                height: view.width,
            }
        } else {
            View {
                left,
                top,
                width: view.width,
                height: view.height,
            }
        }
    }

    /// Where a box among stored pixels of size `stored` lies in the upright picture.
    pub(crate) fn upright_view(self, view: &View, stored: Extent) -> View {
        let inverse = match self {
            Self::Rotate90 => Self::Rotate270,
            Self::Rotate270 => Self::Rotate90,
            other => other,
        };
        inverse.stored_view(view, self.upright(stored))
    }

    fn steps(self) -> Steps {
        let (swap, mirror_x, mirror_y) = match self {
            Self::Upright => (false, false, false),
            Self::FlipHorizontal => (false, true, false),
            Self::Rotate180 => (false, true, true),
            Self::FlipVertical => (false, false, true),
            Self::Transpose => (true, false, false),
            Self::Rotate90 => (true, true, false),
            Self::Transverse => (true, true, true),
            Self::Rotate270 => (true, false, true),
        };
        Steps {
            swap,
            mirror_x,
            mirror_y,
        }
    }
}

/// Side of the square tiles that [`turn`] works in: source and target of one stay in the first
/// cache.
const TILE: usize = 32;

/// The upright picture of `rgb`, whose stored size is `stored`.
pub(crate) fn turned(rgb: Vec<u8>, stored: Extent, orientation: Orientation) -> Vec<u8> {
    if orientation == Orientation::Upright {
        return rgb;
    }
    let mut turned = Vec::new();
    turn(&rgb, stored, orientation, &mut turned);
    turned
}

/// Writes the upright picture of `rgb`, whose stored size is `stored`, to `turned`.
pub(crate) fn turn(rgb: &[u8], stored: Extent, orientation: Orientation, turned: &mut Vec<u8>) {
    let steps = orientation.steps();
    let upright = orientation.upright(stored);
    let source = rgb.as_chunks::<3>().0;
    turned.resize(3 * upright.width * upright.height, 0);
    let target = turned.as_chunks_mut::<3>().0;
    let from = |x: usize, y: usize| {
        let x = if steps.mirror_x {
            upright.width - 1 - x
        } else {
            x
        };
        let y = if steps.mirror_y {
            upright.height - 1 - y
        } else {
            y
        };
        if steps.swap {
            x * stored.width + y
        } else {
            y * stored.width + x
        }
    };
    for tile_y in (0..upright.height).step_by(TILE) {
        for tile_x in (0..upright.width).step_by(TILE) {
            let columns = tile_x..(tile_x + TILE).min(upright.width);
            for y in tile_y..(tile_y + TILE).min(upright.height) {
                let row = &mut target[y * upright.width..][columns.clone()];
                for (pixel, x) in row.iter_mut().zip(columns.clone()) {
                    *pixel = source[from(x, y)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The red bytes of a 3x2 picture, turned; the picture is `0 1 2 / 3 4 5`.
    fn turned(orientation: Orientation) -> Vec<u8> {
        let rgb: Vec<u8> = (0..6).flat_map(|red| [red, 9, 9]).collect();
        let stored = Extent {
            width: 3,
            height: 2,
        };
        let turned = super::turned(rgb, stored, orientation);
        turned.chunks(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn the_eight_ways() {
        assert_eq!(turned(Orientation::Upright), [0, 1, 2, 3, 4, 5]);
        assert_eq!(turned(Orientation::FlipHorizontal), [2, 1, 0, 5, 4, 3]);
        assert_eq!(turned(Orientation::Rotate180), [5, 4, 3, 2, 1, 0]);
        assert_eq!(turned(Orientation::FlipVertical), [3, 4, 5, 0, 1, 2]);
        assert_eq!(turned(Orientation::Transpose), [0, 3, 1, 4, 2, 5]);
        assert_eq!(turned(Orientation::Rotate90), [3, 0, 4, 1, 5, 2]);
        assert_eq!(turned(Orientation::Transverse), [5, 2, 4, 1, 3, 0]);
        assert_eq!(turned(Orientation::Rotate270), [2, 5, 1, 4, 0, 3]);
    }

    #[test]
    fn boxes_go_with_their_pixels() {
        let stored = Extent {
            width: 40,
            height: 70,
        };
        for orientation in Orientation::ALL {
            let rgb: Vec<u8> = (0..70 * 40)
                .flat_map(|i| [(i % 40) as u8, (i / 40) as u8, 0])
                .collect();
            let upright = orientation.upright(stored);
            let turned = super::turned(rgb, stored, orientation);
            let pixel = View {
                left: 5.0,
                top: 9.0,
                width: 1.0,
                height: 1.0,
            };
            let at = orientation.stored_view(&pixel, stored);
            assert_eq!(
                turned[(9 * upright.width + 5) * 3..][..2],
                [at.left as u8, at.top as u8],
                "{orientation:?}"
            );
            assert_eq!(
                orientation.upright_view(&at, stored),
                pixel,
                "{orientation:?}"
            );
        }
    }

    #[test]
    fn exif_numbers() {
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(1), Some(Orientation::Upright));
        assert_eq!(Orientation::from_exif(6), Some(Orientation::Rotate90));
        assert_eq!(Orientation::from_exif(9), None);
    }
}
