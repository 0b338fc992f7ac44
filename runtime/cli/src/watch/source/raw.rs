//! Frames without a header: what `rpicam-vid --codec yuv420`, GStreamer's `fdsink` and FFmpeg's `rawvideo` write.

use super::{
    Next, Sight, SourceError, Wait,
    spec::{Geometry, Input},
    stream::{Filled, Stream, memory},
};

/// Frames of one geometry, one after another.
pub struct Raw {
    stream: Stream,
    geometry: Geometry,
    bytes: Vec<u8>,
    number: u64,
}

impl Raw {
    pub fn open(geometry: &Geometry, input: &Input) -> Result<Raw, SourceError> {
        let stream = Stream::open(input)?;
        let name = stream.name();
        let bytes = memory(name, geometry.bytes())?;
        geometry.frame(&bytes).map_err(|frame| SourceError::Frame {
            name: name.to_owned(),
            frame,
        })?;
        if let Some(length) = stream.length()
            && (length == 0 || length % bytes.len() as u64 != 0)
        {
            return Err(SourceError::Geometry {
                name: name.to_owned(),
                frame: bytes.len(),
                geometry: geometry.to_string(),
                bytes: length,
            });
        }
        Ok(Raw {
            stream,
            geometry: *geometry,
            bytes,
            number: 0,
        })
    }

    pub fn is_live(&self) -> bool {
        self.stream.length().is_none()
    }

    pub fn name(&self) -> &str {
        self.stream.name()
    }

    pub fn describe(&self) -> String {
        format!("{}, {}", self.stream.name(), self.geometry)
    }

    pub fn next(
        &mut self,
        wait: &Wait<'_>,
        show: &mut dyn FnMut(Sight<'_>),
    ) -> Result<Next, SourceError> {
        let name = self.stream.name().to_owned();
        match self.stream.fill(wait, &mut self.bytes)? {
            Filled::Whole => {}
            Filled::Stopped => return Ok(Next::Nothing),
            Filled::Ended(0) if self.number == 0 => return Err(SourceError::Empty { name }),
            Filled::Ended(0) => return Ok(Next::End),
            Filled::Ended(got) => {
                return Err(SourceError::Cut {
                    name,
                    number: self.number,
                    expected: self.bytes.len(),
                    got,
                });
            }
        }
        let frame = self.geometry.frame(&self.bytes);
        let frame = frame.map_err(|frame| SourceError::Frame {
            name: name.clone(),
            frame,
        })?;
        show(Sight {
            frame,
            number: self.number,
            image: &name,
            warnings: Vec::new(),
        });
        self.number += 1;
        Ok(Next::Shown)
    }
}
