//! Where one label is in the frame.

use super::{Grid, grid::SurfaceSpace};
use ocellus_vision::View;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// Where one label is in the frame.
#[derive(Clone, Debug)]
pub struct Place {
    /// The share of attention that the label gets at each cell, 0..1: one grid for each rectangle of
    /// [`Report::seen`](crate::Report::seen).
    pub relevance: Vec<Grid>,
    /// The rectangle in which the label stands out most.
    pub view: usize,
    /// The peak of the smoothed relevance, `[x, y]` in pixels of the frame; nothing where no cell attends to the label.
    pub peak_px: Option<[f64; 2]>,
    /// The largest share of attention at any cell, 0..1.
    pub local_score: f32,
}

impl Place {
    /// From a label's relevance in each of `views`.
    pub(crate) fn new(relevance: Vec<Grid>, views: &[View], space: &mut SurfaceSpace) -> Place {
        let mut place = Place {
            view: 0,
            peak_px: None,
            local_score: 0.0,
            relevance,
        };
        let mut highest = 0.0;
        for (at, (grid, view)) in place.relevance.iter().zip(views).enumerate() {
            let most = grid.values.iter().copied().fold(0.0, f32::max);
            place.local_score = place.local_score.max(most);
            if let Some(peak) = grid.peak_in(space).filter(|peak| peak.value > highest) {
                highest = peak.value;
                place.view = at;
                place.peak_px = Some([
                    view.left + f64::from(peak.x) * view.width,
                    view.top + f64::from(peak.y) * view.height,
                ]);
            }
        }
        place
    }
}

/// `relevance` is the grid of the rectangle `view`.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Place", 4)?;
        place.serialize_field("relevance", &self.relevance.get(self.view))?;
        place.serialize_field("view", &self.view)?;
        place.serialize_field("peak_px", &self.peak_px)?;
        place.serialize_field("local_score", &self.local_score)?;
        place.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(left: f64) -> View {
        View {
            left,
            top: 10.0,
            width: 400.0,
            height: 400.0,
        }
    }

    fn lone(cell: usize, value: f32) -> Grid {
        let mut values = vec![0.0; 16];
        values[cell] = value;
        Grid {
            height: 4,
            width: 4,
            values,
        }
    }

    #[test]
    fn the_peak_is_in_the_frame_s_pixels_of_the_view_that_has_it() {
        let views = [view(0.0), view(300.0)];
        let mut space = SurfaceSpace::default();
        let place = Place::new(vec![lone(0, 0.2), lone(5, 0.6)], &views, &mut space);
        assert_eq!(place.view, 1);
        assert_eq!(place.local_score, 0.6);
        let [x, y] = place.peak_px.expect("a peak");
        assert!(
            (x - 450.0).abs() < 4.0 && (y - 160.0).abs() < 4.0,
            "{x} {y}"
        );
    }

    #[test]
    fn what_is_nowhere_has_no_peak() {
        let mut space = SurfaceSpace::default();
        let place = Place::new(vec![lone(0, 0.0)], &[view(0.0)], &mut space);
        assert_eq!((place.peak_px, place.local_score), (None, 0.0));
        let json = serde_json::to_value(&place).expect("a place");
        assert!(json["peak_px"].is_null());
        assert_eq!(json["relevance"].as_array().map(Vec::len), Some(4));
    }
}
