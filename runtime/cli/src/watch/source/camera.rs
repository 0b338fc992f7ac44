//! A V4L2 camera, which comes back after it was unplugged.

use super::{Next, Sight, SourceError, Wait, Wishes};
use ocellus::{
    sys::{Camera, CameraFormat, Captured, Which, Woken},
    vision::{ColorMatrix, ColorRange, Frame, FrameError, PixelFormat, Plane},
};
use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What is read, the cheapest to read first.
const FORMATS: [[u8; 4]; 11] = [
    *b"NV12", *b"NM12", *b"YU12", *b"YM12", *b"NV21", *b"NM21", *b"YUYV", *b"UYVY", *b"GREY",
    *b"RGB3", *b"BGR3",
];

/// A camera that gives no frame for so long has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A camera that is gone is looked for after this time, then after twice that, and so on,
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// but no more seldom than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A camera, there or not.
pub struct CameraSource {
    device: PathBuf,
    name: String,
    wishes: Wishes,
    state: State,
    numbers: Numbers,
}

enum State {
    Streams {
        camera: Camera,
        /// When it last gave a whole frame, or began.
        last: Instant,
        /// What was wrong with a frame that was not whole.
        wrong: Option<FrameError>,
    },
    Gone {
        next: Instant,
        pause: Duration,
        /// What was said last, so that it is said once.
        said: String,
    },
}

impl CameraSource {
    pub fn open(device: &Path, wishes: Wishes) -> Result<CameraSource, SourceError> {
        let state = match Camera::open(device, &FORMATS, wishes.size.0) {
            Ok(camera) => streams(camera),
            Err(error) if wishes.patient => {
                log::warn!("{error}; it is waited for");
                State::Gone {
                    next: Instant::now(),
                    pause: FIRST_PAUSE,
                    said: error.to_string(),
                }
            }
            Err(error) => return Err(error.into()),
        };
        Ok(CameraSource {
            device: device.to_owned(),
            name: device.display().to_string(),
            wishes,
            state,
            numbers: Numbers::default(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn describe(&self) -> String {
        match &self.state {
            State::Streams { camera, .. } => {
                let CameraFormat {
                    fourcc,
                    width,
                    height,
                    ..
                } = camera.format();
                let fourcc = String::from_utf8_lossy(fourcc);
                format!("{}, {width}x{height} {fourcc}", self.name)
            }
            State::Gone { .. } => format!("{}, not there", self.name),
        }
    }

    pub fn next(
        &mut self,
        wait: &Wait<'_>,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<Next, SourceError> {
        match &self.state {
            State::Streams { .. } => Ok(match self.look(wait, show) {
                Ok(true) => Next::Shown,
                Ok(false) => Next::Nothing,
                Err(error) => {
                    self.state = State::Gone {
                        next: Instant::now() + FIRST_PAUSE,
                        pause: FIRST_PAUSE,
                        said: error.to_string(),
                    };
                    self.numbers.begin_again();
                    Next::Lost(error)
                }
            }),
            State::Gone { .. } => self.look_for(wait),
        }
    }

    /// Waits for a frame and shows it; whether one was shown.
    fn look(
        &mut self,
        wait: &Wait<'_>,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<bool, SourceError> {
        let State::Streams {
            camera,
            last,
            wrong,
        } = &mut self.state
        else {
            return Ok(false);
        };
        let system = |cause| SourceError::System {
            name: self.name.clone(),
            what: "poll",
            cause,
        };
        let left = PATIENCE.saturating_sub(last.elapsed());
        let woken = wait.a_beat(Some(camera.as_fd()), left).map_err(system)?;
        if woken == Woken::Late && last.elapsed() >= PATIENCE {
            return Err(SourceError::Silent {
                name: self.name.clone(),
                seconds: PATIENCE.as_secs(),
                last: wrong
                    .take()
                    .map_or_else(String::new, |wrong| format!(" that was whole ({wrong})")),
            });
        }
        if woken != Woken::Ready {
            return Ok(false);
        }
        let which = match self.wishes.every {
            true => Which::Next,
            false => Which::Newest,
        };
        let format = camera.format().clone();
        let numbers = &mut self.numbers;
        let seen = camera.capture(which, |captured| {
            let number = numbers.of(captured.sequence);
            frame(&format, captured).map(|frame| {
                show(Sight {
                    frame,
                    number,
                    image: &self.name,
                    warnings: Vec::new(),
                });
            })
        })?;
        match seen {
            Some(Ok(())) => {
                *last = Instant::now();
                Ok(true)
            }
            // A driver's frame that is shorter than it should be is spoilt; the next one may not be.
            Some(Err(error)) => {
                *wrong = Some(error);
                if last.elapsed() >= PATIENCE {
                    let name = self.name.clone();
                    let frame = wrong.take().expect("just set");
                    return Err(SourceError::Frame { name, frame });
                }
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Looks for a camera that is gone.
    fn look_for(&mut self, wait: &Wait<'_>) -> Result<Next, SourceError> {
        let State::Gone { next, pause, said } = &mut self.state else {
            return Ok(Next::Nothing);
        };
        let left = next.saturating_duration_since(Instant::now());
        let woken = wait.a_beat(None, left);
        let woken = woken.map_err(|cause| SourceError::System {
            name: self.name.clone(),
            what: "poll",
            cause,
        })?;
        if woken == Woken::Stop || Instant::now() < *next {
            return Ok(Next::Nothing);
        }
        match Camera::open(&self.device, &FORMATS, self.wishes.size.0) {
            Ok(camera) => {
                log::info!("{}: the camera is back", self.name);
                self.state = streams(camera);
                Ok(Next::Nothing)
            }
            Err(error) => {
                *pause = (*pause * 2).min(LONGEST_PAUSE);
                *next = Instant::now() + *pause;
                let message = error.to_string();
                if *said != message {
                    log::warn!("{message}; it is looked for");
                    *said = message;
                }
                Ok(Next::Nothing)
            }
        }
    }
}

fn streams(camera: Camera) -> State {
    State::Streams {
        camera,
        last: Instant::now(),
        wrong: None,
    }
}

/// A captured buffer as a frame.
fn frame<'a>(format: &CameraFormat, captured: &Captured<'a>) -> Result<Frame<'a>, FrameError> {
    // Only formats that were asked for are captured, and all of these have one.
    let pixels = PixelFormat::from_fourcc(format.fourcc).unwrap_or(PixelFormat::Grey8);
    let (width, height) = (format.width, format.height);
    let stride = |plane: usize| match format.strides[plane] {
        0 => pixels.plane_extent(plane, width, height).0,
        stride => stride,
    };
    let frame = match *captured.planes() {
        [data] => Frame::contiguous(pixels, width, height, stride(0), data)?,
        ref apart => {
            let planes: Vec<Plane<'_>> = apart
                .iter()
                .enumerate()
                .map(|(plane, data)| Plane {
                    data,
                    stride: stride(plane),
                })
                .collect();
            Frame::new(pixels, width, height, &planes)?
        }
    };
    let matrix = match format.bt709 {
        true => ColorMatrix::Bt709,
        false => ColorMatrix::Bt601,
    };
    let range = match format.full_range {
        true => ColorRange::Full,
        false => ColorRange::Limited,
    };
    Ok(frame.with_colors(matrix, range))
}

/// Numbers of frames from the driver's, which begin again with each start and after 32 bits.
#[derive(Default)]
struct Numbers {
    /// The driver's last number since it began.
    last: Option<u32>,
    next: u64,
}

impl Numbers {
    fn of(&mut self, sequence: u32) -> u64 {
        // Those between were not captured. A driver that counts backwards or not at all is not believed.
        let missed = match self.last {
            Some(last) => sequence.wrapping_sub(last).wrapping_sub(1),
            None => 0,
        };
        let missed = if missed > u32::MAX / 2 { 0 } else { missed };
        self.last = Some(sequence);
        let number = self.next + u64::from(missed);
        self.next = number + 1;
        number
    }

    fn begin_again(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_through_gaps_starts_and_wraps() {
        let mut numbers = Numbers::default();
        let of = |numbers: &mut Numbers, sequences: &[u32]| -> Vec<u64> {
            sequences.iter().map(|s| numbers.of(*s)).collect()
        };
        assert_eq!(of(&mut numbers, &[7, 8, 11, 11, 3]), [0, 1, 4, 5, 6]);
        numbers.begin_again();
        assert_eq!(of(&mut numbers, &[u32::MAX - 1, 0, 1]), [7, 9, 10]);
    }
}
