//! Relevance on a grid of cells, and the smooth surface over it.
//!
//! A cell's value is a sample at the cell's centre. The surface is their sum with Gaussians of one cell's width (standard deviation 1):
//! a lone cell becomes a hill around its centre, and an object that spans cells has its peak between them. Beyond the
//! edge nothing was seen and nothing is added, so the surface falls there: without that, a flat edge draws every peak
//! into a corner.
//!
//! Limits: what is smaller than a cell (32 pixels of the encoder's input) has no place of its own.

use serde::{Serialize, Serializer, ser::SerializeSeq};

/// The standard deviation of the smoothing, in cells.
const SIGMA: f32 = 1.0;
/// A Gaussian is cut here, in cells.
const REACH: f32 = 3.0;
/// The peak is looked for at this many places of a cell, along each axis.
const PEAK_STEPS: usize = 16;

/// Values of a map's cells, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Rows of cells.
    pub height: usize,
    /// Cells of a row.
    pub width: usize,
    /// `[height][width]`
    pub values: Vec<f32>,
}

/// Memory that a surface is made in.
#[derive(Default)]
pub(crate) struct SurfaceSpace {
    across: Vec<f32>,
    down: Vec<f32>,
    lines: Vec<f32>,
    surface: Vec<f32>,
}

/// The highest place of a smooth surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// From the left edge, as a part of the width, 0..1.
    pub x: f32,
    /// From the top edge, as a part of the height, 0..1.
    pub y: f32,
    /// The surface's height there.
    pub value: f32,
}

impl Grid {
    /// The smooth surface at the centres of `rows` x `columns` equal parts, row after row.
    pub fn smooth(&self, rows: usize, columns: usize) -> Vec<f32> {
        let mut space = SurfaceSpace::default();
        self.smooth_in(rows, columns, &mut space);
        space.surface
    }

    /// [`Grid::smooth`], which leaves the surface in memory that is kept.
    fn smooth_in(&self, rows: usize, columns: usize, space: &mut SurfaceSpace) {
        weights(self.width, columns, &mut space.across);
        weights(self.height, rows, &mut space.down);
        space.lines.resize(self.height * columns, 0.0);
        for (line, cells) in space
            .lines
            .chunks_exact_mut(columns.max(1))
            .zip(self.values.chunks_exact(self.width.max(1)))
        {
            let across = space.across.chunks_exact(self.width.max(1));
            for (place, weights) in line.iter_mut().zip(across) {
                *place = weights.iter().zip(cells).map(|(w, cell)| w * cell).sum();
            }
        }
        space.surface.clear();
        space.surface.resize(rows * columns, 0.0);
        for (row, weights) in space
            .surface
            .chunks_exact_mut(columns.max(1))
            .zip(space.down.chunks_exact(self.height.max(1)))
        {
            for (line, weight) in space.lines.chunks_exact(columns.max(1)).zip(weights) {
                row.iter_mut()
                    .zip(line)
                    .for_each(|(place, value)| *place += weight * value);
            }
        }
    }

    /// The highest place of the surface, the first of several; nothing where every cell is 0.
    pub fn peak(&self) -> Option<Peak> {
        self.peak_in(&mut SurfaceSpace::default())
    }

    /// [`Grid::peak`] in memory that is kept.
    pub(super) fn peak_in(&self, space: &mut SurfaceSpace) -> Option<Peak> {
        let [rows, columns] = [self.height, self.width].map(|cells| cells * PEAK_STEPS);
        self.smooth_in(rows, columns, space);
        let mut best = None;
        for (at, &value) in space.surface.iter().enumerate() {
            if value > best.map_or(0.0, |(_, most)| most) {
                best = Some((at, value));
            }
        }
        let (at, value) = best?;
        let centre = |step: usize, steps: usize| (step as f32 + 0.5) / steps as f32;
        Some(Peak {
            x: centre(at % columns, columns),
            y: centre(at / columns, rows),
            value,
        })
    }
}

/// Makes `weights` what each of `cells` adds at each of `places`, `[places][cells]`.
fn weights(cells: usize, places: usize, weights: &mut Vec<f32>) {
    let norm = 1.0 / (SIGMA * (2.0 * std::f32::consts::PI).sqrt());
    weights.clear();
    for place in 0..places {
        let at = (place as f32 + 0.5) / places as f32 * cells as f32;
        weights.extend((0..cells).map(|cell| {
            let distance = at - (cell as f32 + 0.5);
            if distance.abs() > REACH {
                return 0.0;
            }
            norm * (-0.5 * (distance / SIGMA).powi(2)).exp()
        }));
    }
}

/// As rows of cells.
impl Serialize for Grid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.height))?;
        for row in self.values.chunks_exact(self.width.max(1)) {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(width: usize, values: &[f32]) -> Grid {
        Grid {
            height: values.len() / width,
            width,
            values: values.to_vec(),
        }
    }

    #[test]
    fn a_lone_cell_peaks_at_its_centre() {
        let mut values = [0.0; 35];
        values[7 + 4] = 0.5;
        let peak = grid(7, &values).peak().expect("a peak");
        assert!((peak.x - 4.5 / 7.0).abs() < 0.01, "{peak:?}");
        assert!((peak.y - 1.5 / 5.0).abs() < 0.01, "{peak:?}");
        let height = 0.5 / (2.0 * std::f32::consts::PI);
        assert!((peak.value - height).abs() < 0.001, "{peak:?}");
    }

    #[test]
    fn an_object_over_two_cells_peaks_between_them() {
        let peak = grid(5, &[0.0, 0.0, 0.8, 0.8, 0.0]).peak().expect("a peak");
        assert!((peak.x - 0.6).abs() < 0.01, "{peak:?}");
    }

    #[test]
    fn an_even_grid_peaks_inside_and_not_at_an_edge() {
        let peak = grid(4, &[0.5; 16]).peak().expect("a peak");
        assert!(
            (0.3..0.7).contains(&peak.x) && (0.3..0.7).contains(&peak.y),
            "{peak:?}"
        );
    }

    #[test]
    fn nothing_has_no_peak() {
        assert_eq!(grid(3, &[0.0; 9]).peak(), None);
    }

    #[test]
    fn a_surface_of_any_size_is_the_same_surface() {
        let grid = grid(3, &[0.1, 0.9, 0.0, 0.3, 0.2, 0.7]);
        let (coarse, fine) = (grid.smooth(4, 5), grid.smooth(12, 15));
        for (y, x) in [(0, 0), (1, 3), (3, 4)] {
            let [a, b] = [coarse[y * 5 + x], fine[(3 * y + 1) * 15 + 3 * x + 1]];
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn rows_are_written_as_rows() {
        let text = serde_json::to_string(&grid(2, &[0.0, 1.0, 0.5, 0.25])).expect("numbers");
        assert_eq!(text, "[[0.0,1.0],[0.5,0.25]]");
    }
}
