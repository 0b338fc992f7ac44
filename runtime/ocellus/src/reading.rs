//! The one reading of a frame, apart from what is then computed: the frame's bytes may change or go when it is done,
//! on whatever thread the rest happens.

use ocellus_vision::{CropMode, Frame, Intermediate, View, Workspace, views_into};
use std::time::{Duration, Instant};

/// Reads frames as a session sees them; keeps its memory from one frame to the next.
pub struct Reader {
    crop: CropMode,
    crop_fraction: f64,
    space: Workspace,
}

/// What was read of a frame. It is made once, and read into again and again.
pub struct Reading {
    /// Which part of a frame, and how much of a square's side.
    sight: Option<(CropMode, f64)>,
    pub(crate) views: Vec<View>,
    /// At least as many as views; the others are memory for frames of more.
    pictures: Vec<Intermediate>,
    /// When the frame's bytes arrived.
    pub(crate) start: Instant,
    /// From then until it was read.
    pub(crate) decode: Duration,
}

impl Default for Reading {
    /// Of no frame yet.
    fn default() -> Self {
        Reading {
            sight: None,
            views: Vec::new(),
            pictures: Vec::new(),
            start: Instant::now(),
            decode: Duration::ZERO,
        }
    }
}

impl Reading {
    /// Whether it is what a reader like this one reads.
    pub(crate) fn is_by(&self, reader: &Reader) -> bool {
        self.sight == Some((reader.crop, reader.crop_fraction))
    }

    /// A picture of each view.
    pub(crate) fn pictures(&self) -> &[Intermediate] {
        &self.pictures[..self.views.len()]
    }
}

impl Reader {
    pub(crate) fn new(crop: CropMode, crop_fraction: f64) -> Reader {
        Reader {
            crop,
            crop_fraction,
            space: Workspace::default(),
        }
    }

    /// Whether it reads the same part of a frame as another.
    pub(crate) fn sees_as(&self, other: &Reader) -> bool {
        (self.crop, self.crop_fraction) == (other.crop, other.crop_fraction)
    }

    /// Another one, for another thread.
    pub(crate) fn again(&self) -> Reader {
        Reader::new(self.crop, self.crop_fraction)
    }

    /// Reads a frame that arrives now.
    pub fn read(&mut self, frame: &Frame<'_>, into: &mut Reading) {
        self.read_since(Instant::now(), frame, into);
    }

    /// Reads a frame whose bytes arrived at `start`.
    pub fn read_since(&mut self, start: Instant, frame: &Frame<'_>, into: &mut Reading) {
        let (width, height) = (frame.width(), frame.height());
        into.sight = Some((self.crop, self.crop_fraction));
        views_into(
            self.crop,
            width,
            height,
            self.crop_fraction,
            &mut into.views,
        );
        let missing = into.views.len().saturating_sub(into.pictures.len());
        into.pictures
            .extend((0..missing).map(|_| Intermediate::default()));
        for (view, picture) in into.views.iter().zip(&mut into.pictures) {
            picture.read_again(frame, view, &mut self.space);
        }
        into.start = start;
        into.decode = start.elapsed();
    }
}
