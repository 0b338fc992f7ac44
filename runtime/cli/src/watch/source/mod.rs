//! Where frames come from: a camera, a stream of frames, a folder of pictures.
//!
//! A source shows one frame at a time, in whatever memory it lies; who looks at it reads it there and then.

mod camera;
mod error;
mod folder;
mod raw;
mod spec;
mod stream;
mod y4m;

pub use error::SourceError;
pub use spec::{Size, Spec};

use ocellus::{
    sys::{Stop, Woken},
    vision::{DecodeLimits, Frame},
};
use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often who waits shows that it is alive.
const BEAT: Duration = Duration::from_millis(250);

/// A frame, while it is shown.
pub struct Sight<'a> {
    /// Its pixels.
    pub frame: Frame<'a>,
    /// Frames are numbered from 0 as the source makes them, those included that are never shown.
    pub number: u64,
    /// What it is a picture of: a file's name, or the source's.
    pub image: &'a str,
    /// What was converted on the way.
    pub warnings: Vec<String>,
}

/// What came of asking for a frame.
pub enum Next {
    /// A frame was shown.
    Shown,
    /// There is none yet.
    Nothing,
    /// One frame could not be had; there may be others.
    Failed(Missing),
    /// The source is gone for now, and is looked for.
    Lost(SourceError),
    /// There are no more.
    End,
}

/// A frame that could not be had.
pub struct Missing {
    /// Its number.
    pub number: u64,
    /// What it would have been a picture of.
    pub image: String,
    /// Why.
    pub error: SourceError,
}

/// Where frames come from.
pub enum Source {
    /// A V4L2 device.
    Camera(Box<camera::CameraSource>),
    /// Frames with a header, one after another.
    Y4m(y4m::Y4m),
    /// Frames without a header, one after another.
    Raw(raw::Raw),
    /// Pictures.
    Folder(folder::Folder),
}

/// What a source is asked for beside its frames.
#[derive(Clone, Copy)]
pub struct Wishes {
    /// About how large a camera's frames should be.
    pub size: Size,
    /// Limits of pictures that are decoded.
    pub limits: DecodeLimits,
    /// Every frame is wanted, and not the newest.
    pub every: bool,
    /// A camera that is not there yet is waited for.
    pub patient: bool,
}

impl Source {
    /// Opens the source. What can be wrong with all of its frames is found here.
    pub fn open(spec: &Spec, wishes: Wishes, wait: &Wait<'_>) -> Result<Source, SourceError> {
        Ok(match spec {
            Spec::Camera(device) => {
                Source::Camera(Box::new(camera::CameraSource::open(device, wishes)?))
            }
            Spec::Y4m(input) => Source::Y4m(y4m::Y4m::open(input, wait)?),
            Spec::Raw(geometry, input) => Source::Raw(raw::Raw::open(geometry, input)?),
            Spec::Folder(path) => Source::Folder(folder::Folder::open(path, wishes.limits)?),
        })
    }

    /// Whether frames come at their own pace, so that what is not seen in time is gone.
    pub fn is_live(&self) -> bool {
        match self {
            Source::Camera(_) => true,
            Source::Y4m(y4m) => y4m.is_live(),
            Source::Raw(raw) => raw.is_live(),
            Source::Folder(_) => false,
        }
    }

    /// Its name in reports.
    pub fn name(&self) -> String {
        match self {
            Source::Camera(camera) => camera.name().to_owned(),
            Source::Y4m(y4m) => y4m.name().to_owned(),
            Source::Raw(raw) => raw.name().to_owned(),
            Source::Folder(folder) => folder.name().to_owned(),
        }
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        match self {
            Source::Camera(camera) => camera.describe(),
            Source::Y4m(y4m) => y4m.describe(),
            Source::Raw(raw) => raw.describe(),
            Source::Folder(folder) => folder.describe(),
        }
    }

    /// Waits for a frame, though not for long, and shows it.
    pub fn next(
        &mut self,
        wait: &Wait<'_>,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<Next, SourceError> {
        match self {
            Source::Camera(camera) => camera.next(wait, show),
            Source::Y4m(y4m) => y4m.next(wait, show),
            Source::Raw(raw) => raw.next(wait, show),
            Source::Folder(folder) => folder.next(show),
        }
    }
}

/// How a source waits: until the end is asked for at most, and alive all the while.
pub struct Wait<'a> {
    /// The end.
    pub stop: &'a Stop,
    /// Counts the signs of life.
    pub beats: &'a AtomicU64,
}

impl Wait<'_> {
    /// Shows that who waits is alive.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until `what` can be read, however long.
    pub fn until_ready(&self, what: BorrowedFd<'_>) -> io::Result<Woken> {
        loop {
            match self.a_beat(Some(what), BEAT)? {
                Woken::Late => {}
                woken => return Ok(woken),
            }
        }
    }

    /// Waits until `what` can be read, and no longer than `most` or one beat.
    pub fn a_beat(&self, what: Option<BorrowedFd<'_>>, most: Duration) -> io::Result<Woken> {
        self.beat();
        self.stop.wait(what, Some(most.min(BEAT)))
    }
}
